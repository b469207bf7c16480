"""Walls: from every machine to every host exactly the flows are open, in both directions; the walls are the generated
ones; what listens is in the policy; what is forged is dropped.

In: Scene. Out: checks `walls.*`. Holds: each sweep carries its own controls: each sweeper is shown an open, a closed
and a silent port first, and each target counts the probes that arrive. Without both, nothing is called proven.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from bastide.verify.asking import AskFailed
from bastide.verify.boot import IDENTIFIER as BOOT
from bastide.verify.boot import check_boot
from bastide.verify.claims import Check, judged, untested
from bastide.verify.expected import doors_in
from bastide.verify.reach import Reach, survey
from bastide.verify.scene import CLIENT, Scene
from bastide.verify.sweeping import Matrix, Seen, sweep_matrix
from bastide.verify.ways import check_datagrams, check_egress, check_forwarding, check_spoofed

_OTHERS = 1024
"""Further TCP ports, drawn anew each time, where not all are knocked at."""
_CONTROL = {"open": [4711], "closed": 4998, "silent": [4712]}


def check_walls(scene: Scene) -> Iterator[Check]:
    """Every check of the family."""
    if scene.chosen != (BOOT,):
        yield from _standing(scene)
    yield check_boot(scene)


def _standing(scene: Scene) -> Iterator[Check]:
    reach = survey(scene)
    hosts = tuple(scene.topology.hosts)
    listening = scene.each(hosts, lambda name: scene.ask(name, "listeners"))
    yield from _rulesets(scene)
    yield from _listeners(scene, listening)
    controls = scene.each([*hosts, *([CLIENT] if scene.client else [])], lambda name: scene.ask(name, "control"))
    yield from _controls(controls)
    matter = _ports_that_matter(scene, listening)
    yield from check_datagrams(scene, reach, listening)
    matrix = sweep_matrix(scene, reach, _few(matter))
    blind = {name for name, said in controls.items() if said != _CONTROL}
    for target in hosts:
        yield from _into(scene, reach, matrix, target, blind)
    yield from _flows(scene, matrix)
    yield from check_egress(scene, reach, _few(matter))
    yield from check_forwarding(scene)
    yield from check_spoofed(scene)


def _ports_that_matter(scene: Scene, listening: Mapping[str, Any]) -> frozenset[int]:
    flows = {flow.port for flow in scene.topology.flows if flow.port is not None}
    found = (said for said in listening.values() if not isinstance(said, AskFailed))
    return frozenset(flows | {entry["port"] for said in found for entry in said})


def _few(matter: frozenset[int]) -> list[int]:
    return sorted(matter | set(random.sample(range(1, 65536), _OTHERS)))


def _rulesets(scene: Scene) -> Iterator[Check]:
    answers = scene.each(
        scene.topology.hosts, lambda name: scene.ask(name, "ruleset", ruleset=scene.rulesets[name])
    )
    for name, said in answers.items():
        identifier, claim = (
            f"walls.ruleset.{name}",
            f"the wall of {name} is the one that its flows generate, rule by rule",
        )
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
        else:
            same = said["same_order"] and not said["only_live"] and not said["only_generated"]
            yield judged(identifier, claim, same and said["rules"] > 0, **said)


def _listeners(scene: Scene, listening: Mapping[str, Any]) -> Iterator[Check]:
    for name, said in listening.items():
        identifier, claim = f"walls.listeners.{name}", f"{name} listens for its flows and for nothing else"
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
            continue
        host = scene.topology.hosts[name]
        allowed = {(flow.protocol, flow.port) for flow in scene.topology.flows if host.stands_in(flow.target)}
        beyond = [f"{e['program']} on {e['protocol']} {e['address']}:{e['port']}" for e in said
                  if (e["protocol"], e["port"]) not in allowed]  # fmt: skip
        ports = sorted({f"{e['protocol']}/{e['port']}" for e in said})
        yield judged(identifier, claim, not beyond and bool(said), beyond=beyond, listens=ports)


def _controls(controls: Mapping[str, Any]) -> Iterator[Check]:
    for name, said in controls.items():
        identifier, claim = (
            f"walls.control.{name}",
            f"a sweep from {name} tells open, closed and dropped ports apart",
        )
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
        else:
            yield judged(identifier, claim, said == _CONTROL, shown=_CONTROL, seen=said)


def _into(scene: Scene, reach: Reach, matrix: Matrix, target: str, blind: set[str]) -> Iterator[Check]:
    for family in ("ipv4", "ipv6"):
        own = [one for one in matrix.seen if one.door.target == target and one.door.family == family]
        if not own:
            continue
        sources = list(dict.fromkeys(one.door.source for one in own))
        identifier = f"walls.in.{target}.{family}"
        claim = f"{target} lets in exactly its flows by {family}, whoever knocks of {', '.join(sources)}"
        proof = _proof(scene, own, target) | {"sent": matrix.sent[target], "arrived": matrix.arrived[target]}
        wrong = proof.pop("wrong")
        silent = [
            name for name in [*sources, target] if name in blind or name in matrix.failures or name in reach.silent
        ]
        if wrong:
            yield judged(identifier, claim, False, **proof, wrong=wrong)
        elif silent:
            yield untested(identifier, claim, f"the controls of {', '.join(silent)} did not behave", **proof)
        elif not matrix.whole(target):
            yield untested(identifier, claim, f"not every probe reached {target}", **proof)
        else:
            yield judged(identifier, claim, True, **proof)
    if not any(one.door.target == target for one in matrix.seen):
        claim = f"{target} lets in exactly its flows"
        yield untested(f"walls.in.{target}", claim, "no other machine of ours reaches it")


def _proof(scene: Scene, own: list[Seen], target: str) -> dict[str, Any]:
    ways, wrong = [], []
    for one in own:
        expected = _expected(scene, one)
        way = f"{one.door.source} ({one.source_address}) → {one.door.address}"
        ways.append(f"{way}: {one.sent} TCP ports, open {list(one.open) or 'none'}, others silent")
        if one.why:
            wrong.append(f"{way}: {one.why}")
        wrong += [f"{way}: {port} is open and no flow says so" for port in one.open if port not in expected]
        wrong += [
            f"{way}: {port} passes the wall, though nothing listens" for port in one.closed if port not in expected
        ]
        wrong += [f"{way}: {port} of a flow does not answer" for port in expected if port not in one.open]
    return {"ways": ways, "wrong": wrong}


def _expected(scene: Scene, one: Seen) -> set[int]:
    host = scene.topology.hosts[one.door.target]
    doors = doors_in(scene.topology, host, one.door.address, one.door.source, one.source_address)
    return {port for protocol, port in doors if protocol == "tcp"}


def _flows(scene: Scene, matrix: Matrix) -> Iterator[Check]:
    """Each flow between hosts is really open, from each host that has it to each that serves it."""
    for flow in scene.topology.flows:
        if flow.port is None or flow.protocol != "tcp" or flow.target == "internet" or flow.source == "admin":
            continue
        sources = (
            [CLIENT] if flow.source == "internet" else [host.name for host in scene.topology.tier(flow.source)]
        )
        targets = [host.name for host in scene.topology.tier(flow.target)]
        # The virtual address stands on one of the balancers: a host's own address must serve as well.
        addresses = {t: str(h.private if flow.network == "private" else h.public or h.private)
                     for t, h in ((t, scene.topology.hosts[t]) for t in targets)}  # fmt: skip
        pairs = [(s, t) for s in sources for t in targets if s != t]
        seen = {
            (o.door.source, o.door.target): o for o in matrix.seen if o.door.address == addresses.get(o.door.target)
        }
        claim = f"{flow.name}: {flow.why}, on {flow.protocol} {flow.port}"
        answers = {f"{s} → {t} {addresses[t]}": flow.port in seen[s, t].open for s, t in pairs if (s, t) in seen}
        if not pairs:
            continue
        if len(answers) < len(pairs):
            missing = ", ".join(f"{s} → {t}" for s, t in pairs if (s, t) not in seen)
            yield untested(
                f"walls.flow.{flow.name}", claim, f"nothing of ours stands at {missing}", answered=answers
            )
        else:
            yield judged(f"walls.flow.{flow.name}", claim, all(answers.values()), answered=answers)
