"""Edge: nobody outside says who a visitor is, or which site was asked for.

In: Scene. Out: checks `edge.forwarded.*`, `edge.host.*`. Holds: the logs of each tier behind the edge are the witness.
Control: the same header, sent by a balancer itself, does decide; so a header that slipped through would be seen.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from bastide.pki.errors import PkiError
from bastide.policy.identities import Identity
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.expected import listening_addresses
from bastide.verify.forging import RIGHT, forge_tries, project_authority
from bastide.verify.logged import Line, await_lines
from bastide.verify.raw import ask_raw
from bastide.verify.scene import Scene

FALSE = "192.0.2.66"
"""Of a network that is for examples (RFC 5737): nobody's."""
_HEADERS = {
    "X-Forwarded-For": (f"X-Forwarded-For: {FALSE}",),
    "X-Forwarded-For, in small letters": (f"x-forwarded-for: {FALSE}",),
    "X-Forwarded-For, twice": (f"X-Forwarded-For: {FALSE}", f"X-Forwarded-For: {FALSE}"),
    "X-Forwarded-For, a list": (f"X-Forwarded-For: {FALSE}, 127.0.0.1, 10.0.0.1",),
    "X-Forwarded-For, an underscore": (f"X_Forwarded_For: {FALSE}",),
    "X-Real-IP": (f"X-Real-IP: {FALSE}",),
    "Forwarded": (f"Forwarded: for={FALSE};proto=http;by=127.0.0.1",),
    "others": (f"X-Client-IP: {FALSE}", f"True-Client-IP: {FALSE}", f"X-Cluster-Client-IP: {FALSE}"),
    "all": (f"X-Forwarded-For: {FALSE}", f"X-Real-IP: {FALSE}", f"Forwarded: for={FALSE}"),
}


def check_forwarded(scene: Scene, name: str, address: str) -> Iterator[Check]:
    """Both checks, at one balancer."""
    if not scene.topology.has_flow("balancer-web"):
        claim = f"{name} alone says who a visitor is"
        yield untested(f"edge.forwarded.{name}", claim, "nothing stands behind the edge in this layout")
        return
    try:
        yield _addresses(scene, name, address)
        yield _hosts(scene, name, address)
    except (OSError, AskFailed, PkiError) as failure:
        yield untested(f"edge.forwarded.{name}", f"{name} alone says who a visitor is", str(failure))


def _addresses(scene: Scene, name: str, address: str) -> Check:
    identifier = f"edge.forwarded.{name}"
    claim = f"{name} alone says who a visitor is: {len(_HEADERS)} forged headers change nothing behind it"
    token = secrets.token_hex(4)
    words = {label: f"bv-{token}-{number}" for number, label in enumerate(_HEADERS)}
    control = f"bv-{token}-control"
    statuses = {
        label: ask_raw(scene, address, f"/?{words[label]}", (f"Host: {scene.domain}", *lines)).status
        for label, lines in _HEADERS.items()
    }
    directly = _as_balancer(scene, name, control)
    tiers = ("web",) if scene.spec.app.kind == "static" else ("web", "app")
    served = [label for label, status in statuses.items() if status < 400]

    def whole(found: dict[str, list[Line]]) -> bool:
        wanted = [words[label] for label in served] + [control]
        return all({line.tier for line in found[word]} >= set(tiers) for word in wanted)

    found = await_lines(scene, tiers, [*words.values(), control], whole)
    taken = {
        label: sorted({f"{line.host}: {line.client}" for line in found[word]}) for label, word in words.items()
    }
    proof = {"seen_as": taken, "statuses": statuses}
    shown = {line.tier for line in found[control] if line.client == FALSE}
    if shown < set(tiers):
        reason = f"the control does not show: {name} itself said {FALSE} ({directly}), and the logs do not tell"
        return untested(identifier, claim, reason, **proof)
    if not served:
        return untested(identifier, claim, f"no such request is served: {sorted(set(statuses.values()))}", **proof)
    if not whole(found):
        return untested(identifier, claim, "not every request that was served is in the logs", **proof)
    believed = {label: lines for label, lines in taken.items() if any(FALSE in line for line in lines)}
    clients = {line.client for label in served for line in found[words[label]]}
    proof["control"] = f"said by {name} itself, {FALSE} is what the tiers behind it log"
    return judged(identifier, claim, not believed and len(clients) == 1, believed=believed, **proof)


def _as_balancer(scene: Scene, name: str, word: str) -> str:
    """The balancer's own word for a visitor's address, to one web server."""
    flow = scene.topology.flow("balancer-web")
    servers = scene.topology.tier("web")
    web = next((host for host in servers if host.name != name), servers[0])
    identity = Identity(role="web", host=web.name)
    server = identity.dns_name(scene.topology.internal_domain)
    question = (
        f"GET /?{word} HTTP/1.1\r\nHost: {scene.domain}\r\nX-Forwarded-For: {FALSE}\r\nConnection: close\r\n\r\n"
    )
    label, root = "plain", ""
    tries: dict[str, dict[str, str]] = {"plain": {}}
    if flow.encryption != "plain":
        authority = project_authority(scene)
        label, root = RIGHT, authority.trust_anchor_pem
        pairs = forge_tries(authority, scene.topology, flow, Identity(role="balancer", host=name))
        tries = {RIGHT: pairs[RIGHT]}
    said = scene.ask(
        name, "handshakes", address=str(listening_addresses(scene.topology, flow, web)[0]), port=flow.port, name=server,
        root=root, question=question, tries=tries,
    )  # fmt: skip
    return str(said[label])


def _hosts(scene: Scene, name: str, address: str) -> Check:
    identifier = f"edge.host.{name}"
    claim = f"{name} passes on only requests for its own names, and no visitor's word for the name"
    token = secrets.token_hex(4)
    evil, good = f"bv-{token}.example", f"Host: {scene.domain}"
    wrong = {
        "another name": (f"Host: {evil}",),
        "two names": (good, f"Host: {evil}"),
        "two names, the other first": (f"Host: {evil}", good),
        "our name in another's": (f"Host: {scene.domain}.{evil}",),
        "another's name behind ours": (f"Host: {scene.domain}@{evil}",),
        "a blank between": (f"Host: {scene.domain} {evil}",),
        "a comma between": (f"Host: {scene.domain},{evil}",),
        "none": (),
    }
    absolute = {"another name in the request line": f"https://{evil}/?bv-{token}-line"}
    beside = {
        "X-Forwarded-Host": f"X-Forwarded-Host: {evil}", "X-Host": f"X-Host: {evil}",
        "Forwarded": f"Forwarded: host={evil};proto=http", "X-Original-URL": f"X-Original-URL: /{evil}",
    }  # fmt: skip
    refused = {what: ask_raw(scene, address, f"/?bv-{token}-wrong", lines).status for what, lines in wrong.items()}
    refused |= {what: ask_raw(scene, address, target).status for what, target in absolute.items()}
    kept = {what: ask_raw(scene, address, f"/?bv-{token}-good", (good, line)) for what, line in beside.items()}
    words = [f"bv-{token}-wrong", f"bv-{token}-line", f"bv-{token}-good"]
    found = await_lines(scene, ("web",), words, lambda lines: len(lines[words[2]]) >= len(kept))
    passed = [what for what, status in refused.items() if not 400 <= status < 500 and status]
    echoed = [what for what, answer in kept.items() if evil.encode() in answer.content]
    behind = [line.fields["uri"] for word in words[:2] for line in found[word]]
    proof = {
        "refused": refused, "kept": {what: answer.status for what, answer in kept.items()}, "passed": passed,
        "echoed": echoed, "seen_behind": behind,
    }  # fmt: skip
    if len(found[words[2]]) < len(kept):
        return untested(identifier, claim, "requests with the right name did not get through either", **proof)
    return judged(identifier, claim, not passed and not echoed and not behind, **proof)
