"""Wires: while words travel in URL, header, body, SQL, votes and log, every host searches what arrives for them.

In: Scene. Out: checks `wires.*`, one a flow. Holds: a flow that carried nothing is not tested; every capture is shown
a word in clear first, and one that missed it, or that lost packets, proves nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from bastide.products.blackbox.view import derive_probes
from bastide.products.keeper.render import SETTINGS
from bastide.topology.flows import LOCAL_BLACKBOX, LOCAL_PRIMARY, LOCAL_REPLICA
from bastide.topology.model import Flow
from bastide.verify.asking import AskFailed, Asking
from bastide.verify.claims import Check, judged, untested
from bastide.verify.expected import listening_addresses
from bastide.verify.scene import Scene
from bastide.verify.site import ask_plainly, trusting, visit

CONTROL_PORT = 4711
_LOGS_TRAVEL_S = 3.0
"""Agents ship at least every second; a machine under load takes longer."""
Ways = list[Mapping[str, Any]]

_DONE = {"sql": "refused", "votes": "answered: 200", "probe": "answered: 200"}
"""What an operation says that let its word travel, or the monitor's question."""


def check_wires(scene: Scene) -> Iterator[Check]:
    """Capture everywhere, let the words travel, judge each flow."""
    token = secrets.token_hex(8)
    canaries = {
        name: f"bv_{name}_{token}"
        for name in ("url", "header", "body", "sql", "replication", "votes", "log", "control")
    }
    ssh = [flow.port for flow in scene.topology.flows if flow.encryption == "ssh"]
    with contextlib.ExitStack() as stack:
        captures: dict[str, Asking] = {}
        failures: dict[str, str] = {}
        for name in scene.topology.hosts:
            asking = stack.enter_context(
                contextlib.closing(scene.begin(name, "capture", canaries=canaries, skip=ssh))
            )
            try:
                captures[name] = asking.await_ready()
            except AskFailed as failure:
                failures[name] = str(failure)
        sent = _let_travel(scene, canaries)
        _seed_controls(scene, canaries["control"])
        time.sleep(_LOGS_TRAVEL_S)
        taken: dict[str, Mapping[str, Any]] = {}
        for name, asking in captures.items():
            try:
                taken[name] = asking.finish()
            except AskFailed as failure:
                failures[name] = str(failure)
    yield from _controls(scene, taken, failures)
    yield _sent(sent)
    good = {name for name, seen in taken.items() if _is_good(seen)}
    for flow in scene.topology.flows:
        if (
            flow.protocol == "tcp"
            and flow.port is not None
            and flow.target != "internet"
            and flow.encryption != "ssh"
        ):
            yield from _judge(scene, flow, taken, good, sent)
    yield _beyond(scene, taken, good)


def _let_travel(scene: Scene, canaries: Mapping[str, str]) -> dict[str, Any]:
    """Everything that carries a word; what each said."""
    said: dict[str, Any] = {}
    for address in _edges(scene):
        try:
            headers = {"X-Canary": canaries["header"], "Content-Type": "text/plain"}
            path = f"/{canaries['url']}?canary={canaries['url']}"
            statuses = [
                visit(scene.domain, address, trusting(scene.ca), method=method,
                      path=path, headers=headers, body=body).status
                for method, body in (("GET", None), ("POST", canaries["body"].encode()), ("GET", None))
            ]  # fmt: skip
            said[f"site at {address}"] = statuses
            said[f"http at {address}"] = ask_plainly(scene.domain, address, path)
        except (OSError, http.client.HTTPException) as error:
            said[f"site at {address}"] = str(error)

    def work(name: str) -> Any:
        roles = scene.topology.hosts[name].roles
        fields: dict[str, Any] = {"log": canaries["log"]}
        if "app" in roles and scene.topology.has_flow("app-database"):
            fields["sql"] = {"word": canaries["sql"], "ports": [LOCAL_PRIMARY, LOCAL_REPLICA]}
        if "database" in roles and scene.spec.database and scene.topology.has_flow("database-replication"):
            fields["replication"] = {"word": canaries["replication"], "database": scene.spec.database.name}
        if "database" in roles and scene.topology.has_flow("voter-client"):
            # A keeper asks the voter beside it, and one elsewhere only when that one is silent.
            fields["votes"] = {"word": canaries["votes"], "settings": SETTINGS}
        if "monitor" in roles:
            # Else the window would have to be as long as the time between two of its own questions.
            fields["probes"] = {
                "port": LOCAL_BLACKBOX, "queries": [probe.query for probe in derive_probes(scene.topology)]
            }  # fmt: skip
        return scene.ask(name, "canaries", **fields)

    answers = scene.each(scene.topology.hosts, work)
    return said | {
        name: str(answer) if isinstance(answer, AskFailed) else answer for name, answer in answers.items()
    }


def _sent(sent: Mapping[str, Any]) -> Check:
    """Words that did not set out are not seen anywhere, whatever the wires are like."""
    odd = [f"{who}: {said}" for who, said in sent.items() if isinstance(said, str)]
    hosts = [said for said in sent.values() if isinstance(said, Mapping)]
    odd += [f"{what}: {said}" for answer in hosts for what, said in answer.items()
            if _DONE.get(what.split()[0], said) != said]  # fmt: skip
    statements = [answer["replication"] for answer in hosts if "replication" in answer]
    if statements and "done" not in statements:
        odd += [f"replication: {said}" for said in statements]
    return judged(
        "wires.sent", "words set out in URL, header, body, SQL, votes and log", not odd, odd=odd, sent=dict(sent)
    )


def _edges(scene: Scene) -> list[str]:
    return [str(host.public or host.private) for host in scene.topology.tier("balancer")]


def _seed_controls(scene: Scene, word: str) -> None:
    """Each host gets a datagram in clear from another: the capture that misses it sees nothing."""
    hosts = list(scene.topology.hosts.values())
    for index, host in enumerate(hosts):
        if len(hosts) > 1:
            sender = hosts[index - 1].name
            with contextlib.suppress(AskFailed):
                scene.ask(
                    sender, "datagrams", targets=[str(host.private)], ports=[CONTROL_PORT], source_port=61080,
                    patience_s=0, payload=word,
                )  # fmt: skip


def _is_good(seen: Mapping[str, Any]) -> bool:
    return not seen["lost"] and any("control" in way["readable"] for way in seen["ways"])


def _controls(scene: Scene, taken: Mapping[str, Mapping[str, Any]], failures: Mapping[str, str]) -> Iterator[Check]:
    for name in scene.topology.hosts:
        identifier, claim = (
            f"wires.control.{name}",
            f"the capture on {name} sees a word that is sent to it in clear",
        )
        if len(scene.topology.hosts) == 1:
            yield untested(identifier, claim, "there is no other host to send it, and no wire between hosts")
        elif name in failures:
            yield untested(identifier, claim, failures[name])
        else:
            seen = taken[name]
            packets = sum(way["packets"] for way in seen["ways"])
            yield judged(identifier, claim, _is_good(seen), packets=packets, lost=seen["lost"])


def _judge(
    scene: Scene, flow: Flow, taken: Mapping[str, Mapping[str, Any]], good: set[str], sent: Mapping[str, Any]
) -> Iterator[Check]:
    identifier = f"wires.{flow.name}"
    plain = flow.encryption == "plain"
    claim = f"{flow.name} ({flow.why}): " + (
        "travels in clear, as the spec says: whoever is on the wire reads it"
        if plain
        else "nothing of it can be read on the wire"
    )  # fmt: skip
    targets = scene.topology.tier(flow.target)
    sources = {str(a) for host in scene.topology.tier(flow.source) for a in host.addresses}
    ways, blind = [], [host.name for host in targets if host.name not in good]
    for host in targets:
        addresses = {str(address) for address in listening_addresses(scene.topology, flow, host)}
        seen: Ways = taken[host.name]["ways"] if host.name in taken else []
        ways += [
            way for way in seen
            if way["port"] == flow.port and way["to"] in addresses
            and (flow.source in ("internet", "admin") or way["from"] in sources)
        ]  # fmt: skip
    proof = {
        "packets": {f"{w['from']} → {w['to']}:{w['port']}": w["packets"] for w in ways},
        "readable": {f"{w['from']} → {w['to']}:{w['port']}": w["readable"] for w in ways if w["readable"]},
    }
    readable = any(set(way["readable"]) - {"control"} for way in ways)
    if readable and not plain:
        yield judged(identifier, claim, False, **proof)
    elif not ways:
        yield untested(identifier, claim, "nothing travelled there while words were sent", sent=dict(sent))
    elif blind:
        yield untested(identifier, claim, f"the capture on {', '.join(blind)} did not behave", **proof)
    elif plain and not readable:
        yield untested(identifier, claim, "none of the words travelled there", **proof)
    else:
        yield judged(identifier, claim, True, **proof)


def _beyond(scene: Scene, taken: Mapping[str, Mapping[str, Any]], good: set[str]) -> Check:
    """Words in clear anywhere else: between which addresses, at which port."""
    claim = "no word is readable where the spec does not say plaintext"
    plain = {flow.port for flow in scene.topology.flows if flow.encryption == "plain" and flow.target != "internet"}
    found = [
        f"{way['from']} → {way['to']}:{way['port']}: {', '.join(way['readable'])}"
        for seen in taken.values() for way in seen["ways"]
        if set(way["readable"]) - {"control"} and way["port"] not in plain
    ]  # fmt: skip
    packets = sum(way["packets"] for seen in taken.values() for way in seen["ways"])
    if not found and len(good) < len(scene.topology.hosts):
        return untested("wires.beyond", claim, "not every capture behaved", packets=packets)
    return judged("wires.beyond", claim, not found, packets=packets, readable=found)
