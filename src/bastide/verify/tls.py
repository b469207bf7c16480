"""TLS: every inner listener opens to exactly its peers' certificates; the edge speaks what it should and no more.

In: Scene. Out: checks `tls.*`. Holds: a listener that refuses the right certificate too has proved nothing by
refusing the others; at the edge, what is refused stands beside the same offer with what must be accepted.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping

from bastide.pki.errors import PkiError
from bastide.policy.identities import AGENT, Identity, derive_accepted_peers
from bastide.prober.hello import EVERY, GOOD_12, VERSIONS, client_hello, read_answer
from bastide.topology.model import Flow, Host
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.expected import listening_addresses
from bastide.verify.forging import EXPIRED, FOREIGN, GONE, NONE, OLDER, PLAIN, RIGHT, forge_tries, project_authority
from bastide.verify.scene import Scene
from bastide.verify.site import ask_plainly, trusting, visit

_QUESTION = "GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
_PATHS = {"web-app": "/.bastide/live", "app-database-status": "/primary", "database-status": "/primary"}
_NARROW: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "voter-peer": ("voters' certificates alone, by TLS 1.2 or newer", lambda label: label not in (OLDER, GONE)),
    "voter-client": (
        "certificates of the project alone, by TLS 1.2 or newer (voters alone get past its wall)",
        lambda label: label in (PLAIN, NONE, EXPIRED, FOREIGN),
    ),
}
"""etcd tells its peers by their tier's name and its clients by their authority (docs/adr/0031): what is claimed of it,
and what it has to refuse for that. Every other listener refuses all but the right certificate."""
_REFUSALS = re.compile(r"refused|HTTP/1\.[01] (400|403|421|49[5-7]) ?")
_PATIENCE_S = 20.0
_YEAR_S = 31536000


def check_tls(scene: Scene) -> Iterator[Check]:
    """Every check of the family."""
    inner = [
        (flow, host)
        for flow in scene.topology.flows if flow.encryption == "mtls"
        for host in scene.topology.tier(flow.target)
    ]  # fmt: skip
    numbers = {f"{flow.name}.{host.name}": (flow, host) for flow, host in inner}
    for check in scene.each(numbers, lambda name: _inner(scene, *numbers[name])).values():
        if not isinstance(check, AskFailed):
            yield check
    for host in scene.topology.tier("balancer"):
        yield from _edge(scene, host.name, str(host.public or host.private))


def _inner(scene: Scene, flow: Flow, host: Host) -> Check:
    identifier = f"tls.{flow.name}.{host.name}"
    to, must_refuse = _NARROW.get(flow.name, ("certificates of its peers alone, by TLS 1.3", lambda _: True))
    claim = f"{host.name} opens {flow.name} to {to}"
    peers = list(derive_accepted_peers(scene.topology, flow))
    sources = [source for source in scene.topology.tier(flow.source) if source.name != host.name]
    role = AGENT if flow.source == "any" else flow.source
    own = next(
        (Identity(role=role, host=s.name) for s in sources if Identity(role=role, host=s.name) in peers), None
    )
    if own is None:
        return untested(identifier, claim, "no other host has this flow, so nothing of it crosses a wire")
    if flow.product in ("mariadb", "alertmanager"):
        where = "database.login" if flow.product == "mariadb" else "no check yet"
        return untested(identifier, claim, f"{flow.product} begins TLS in its own protocol: see {where}")
    target = Identity(role="database" if "database" in flow.target else flow.target, host=host.name)
    name = target.dns_name(scene.topology.internal_domain)
    question = "" if flow.name == "app-database" else _QUESTION.format(path=_PATHS.get(flow.name, "/"), name=name)
    try:
        authority = project_authority(scene)
        said = scene.ask(
            own.host, "handshakes", address=str(listening_addresses(scene.topology, flow, host)[0]), port=flow.port,
            name=name, root=authority.trust_anchor_pem, question=question,
            tries=forge_tries(authority, scene.topology, flow, own),
        )  # fmt: skip
    except (AskFailed, PkiError) as failure:
        return untested(identifier, claim, str(failure))
    if _REFUSALS.match(said[RIGHT]) or "not believed" in said[RIGHT]:
        reason = f"it does not open to the right certificate either: {said[RIGHT]}"
        return untested(identifier, claim, reason, source=own.host, answers=said)
    opened = [label for label, answer in said.items() if label != RIGHT and not _REFUSALS.match(answer)]
    wrong = [label for label in opened if must_refuse(label)]
    return judged(identifier, claim, not wrong, wrong=wrong, opened_to=opened, source=own.host, answers=said)


def _edge(scene: Scene, name: str, address: str) -> Iterator[Check]:
    domain = scene.domain
    offers = {
        **{v: (n, sorted(EVERY)) for v, n in VERSIONS.items() if v != "TLS 1.2"},
        "weak suites": (VERSIONS["TLS 1.2"], sorted(EVERY - GOOD_12)),
        "good suites": (VERSIONS["TLS 1.2"], sorted(GOOD_12)),
    }
    answers = {what: _offer(address, client_hello(*offer, domain)) for what, offer in offers.items()}
    control = answers.pop("good suites")
    claim = f"{name} speaks TLS 1.2 and 1.3 alone, and of TLS 1.2 only suites with forward secrecy and AEAD"
    taken = [what for what, answer in answers.items() if not answer.startswith(("alert", "closed"))]
    proof = {"answers": answers, "control": f"the good suites alone: {control}", "taken": taken}
    if not control.startswith("0303"):
        yield untested(f"tls.edge.versions.{name}", claim, "it refuses what it should take too", **proof)
    else:
        yield judged(f"tls.edge.versions.{name}", claim, not taken, **proof)
    yield _chain(scene, name, address)
    yield from _headers(scene, name, address)


def _offer(address: str, hello: bytes) -> str:
    try:
        with socket.create_connection((address, 443), timeout=_PATIENCE_S) as wire:
            wire.sendall(hello)
            return read_answer(wire.recv(4096))
    except ConnectionResetError:
        return "closed"
    except OSError as error:
        return f"no answer: {error}"


def _chain(scene: Scene, name: str, address: str) -> Check:
    claim = f"{name} shows a certificate that a visitor believes for every domain, and for no other name"
    said = {domain: _believed(scene, address, domain) for domain in (*scene.topology.domains, "wrong.example")}
    wrong = said.pop("wrong.example")
    good = all(answer.startswith("TLS") for answer in said.values()) and wrong.startswith("not believed")
    return judged(f"tls.edge.chain.{name}", claim, good, believed=said, control={"wrong.example": wrong})


def _believed(scene: Scene, address: str, domain: str) -> str:
    try:
        with (
            socket.create_connection((address, 443), timeout=_PATIENCE_S) as raw,
            trusting(scene.ca).wrap_socket(raw, server_hostname=domain) as wire,
        ):
            return f"{wire.version()}"
    except ssl.SSLCertVerificationError as error:
        return f"not believed: {error.verify_message}"
    except OSError as error:
        return f"no answer: {error}"


def _headers(scene: Scene, name: str, address: str) -> Iterator[Check]:
    domain, path = scene.domain, "/some/path?and=query"
    claim = f"{name} sends http:// to https://, with path and query, and answers nothing else there"
    try:
        status, location = ask_plainly(domain, address, path)
        good = status in ("301", "308") and location == f"https://{domain}{path}"
        yield judged(f"tls.edge.redirect.{name}", claim, good, status=status, location=location)
        answer = visit(domain, address, trusting(scene.ca))
    except (OSError, http.client.HTTPException) as error:
        yield untested(f"tls.edge.redirect.{name}", claim, str(error))
        return
    said = answer.headers.get("strict-transport-security", "")
    age = re.search(r"max-age=(\d+)", said)
    claim = f"{name} tells browsers to come by https:// alone for a year or longer"
    yield judged(f"tls.edge.hsts.{name}", claim, bool(age) and int(age[1]) >= _YEAR_S, header=said)  # type: ignore[index]
