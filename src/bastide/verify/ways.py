"""Ways through walls that are no TCP port of an address: UDP, outwards, through a host, under a false address.

In: Scene, Reach. Out: checks `walls.udp.*`, `walls.out.*`, `walls.forward.*`, `walls.spoofed.*`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bastide.topology.model import Host
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.expected import doors_out
from bastide.verify.reach import Reach
from bastide.verify.scene import CLIENT, Scene

UDP_PORTS = (
    53, 67, 68, 69, 111, 123, 137, 138, 161, 162, 389, 427, 443, 500, 514, 520, 546, 547, 623, 1194, 1434, 1645, 1812,
    1900, 2049, 3478, 3702, 4500, 4789, 5060, 5353, 5355, 5683, 8125, 8472, 10001, 11211, 17185, 19132, 27015, 33434, 51820,
)  # fmt: skip
"""What is attacked or abused over UDP, besides what listens or is in a flow."""


def check_datagrams(scene: Scene, reach: Reach, listening: Mapping[str, Any]) -> Iterator[Check]:
    """UDP gives no answer, so the target's own count of what its wall dropped is the proof."""
    heard = {
        e["port"]
        for said in listening.values()
        if not isinstance(said, AskFailed)
        for e in said
        if e["protocol"] == "udp"
    }
    ports = sorted({*UDP_PORTS, *heard})
    targets = sorted({door.target for door in reach.doors})
    before = scene.each(targets, lambda name: scene.ask(name, "counters"))
    sources = list(dict.fromkeys(door.source for door in reach.doors))

    def work(source: str) -> Any:
        own = [door.knock_at for door in reach.doors if door.source == source]
        return scene.ask(source, "datagrams", targets=own, ports=ports, source_port=61050, patience_s=0.05)

    answers = scene.each(sources, work)
    after = scene.each(targets, lambda name: scene.ask(name, "counters"))
    for target in targets:
        identifier, claim = f"walls.udp.{target}", f"{target} lets in no UDP but its flows'"
        ways = {}
        for door in reach.doors:
            said = answers[door.source]
            if door.target == target and not isinstance(said, AskFailed):
                ways[f"{door.source} → {door.address}"] = said[door.knock_at]
        sent = sum(way["sent"] for way in ways.values())
        was, now = before[target], after[target]
        if isinstance(was, AskFailed) or isinstance(now, AskFailed) or not sent:
            yield untested(identifier, claim, "it could not be asked, or nothing could be sent")
            continue
        dropped = now["dropped_in"] - was["dropped_in"]
        unreachable = {way: said["unreachable"] for way, said in ways.items() if said["unreachable"]}
        proof = {"ports": ports, "from": sorted(ways), "sent": sent, "dropped": dropped, "answered": unreachable}
        yield judged(identifier, claim, dropped >= sent and not unreachable, **proof)


def check_egress(scene: Scene, reach: Reach, few: list[int]) -> Iterator[Check]:
    """What each host's own wall lets out: all ports to a stranger, those that matter to every other host."""
    stranger = _stranger(scene)

    def work(name: str) -> Any:
        peers = {door.knock_at: door.address for door in reach.doors if door.source == name}
        tcp: Any = few if scene.quick else "all"
        far = scene.ask(name, "egress", targets=[stranger], tcp=tcp, udp=UDP_PORTS, source_port=61060)
        near = scene.ask(name, "egress", targets=list(peers), tcp=few, udp=UDP_PORTS, source_port=61061)
        return {stranger: far[stranger]} | {address: near[at] for at, address in peers.items()}

    for name, said in scene.each(scene.topology.hosts, work).items():
        identifier, claim = (
            f"walls.out.{name}",
            f"{name} can open exactly its flows to others, and its egress rules' ports",
        )
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
            continue
        wrong, ways = [], []
        for address, left in said.items():
            doors = doors_out(scene.topology, scene.topology.hosts[name], address)
            for protocol, asked in (("tcp", None), ("udp", set(UDP_PORTS))):
                expected = {port for kind, port in doors if kind == protocol and (asked is None or port in asked)}
                wrong += [
                    f"{address} {protocol}/{port} gets out" for port in left[protocol] if port not in expected
                ]
                wrong += [
                    f"{address} {protocol}/{port} does not" for port in sorted(expected - set(left[protocol]))
                ]
            ways.append(f"{address}: {left['sent']} probes, out went tcp {left['tcp']} udp {left['udp']}")
        if said[stranger]["sent"] == 0:
            yield untested(identifier, claim, f"it has no route to {stranger}", ways=ways, wrong=wrong)
        else:
            yield judged(identifier, claim, not wrong, ways=ways, wrong=wrong)


def _stranger(scene: Scene) -> str:
    """An address that no flow names. In a lab this computer's; else one that is reserved for examples (RFC 5737)."""
    networks = [flow.external for flow in scene.topology.flows if flow.source == "admin" and flow.external]
    if scene.lab and networks:
        return str(networks[0].network_address)
    return "192.0.2.1"


def check_forwarding(scene: Scene) -> Iterator[Check]:
    """What came from outside is never passed on to the private network, whatever its sender's routes say."""
    for balancer in scene.topology.tier("balancer"):
        identifier = f"walls.forward.{balancer.name}"
        claim = f"{balancer.name} passes nothing on from the internet to private addresses"
        if scene.client is None or balancer.public is None:
            yield untested(identifier, claim, "no machine of ours stands on the internet side")
            continue
        others = [str(host.private) for host in scene.topology.hosts.values() if host.name != balancer.name]
        ports = sorted({flow.port for flow in scene.topology.flows if flow.port is not None})
        try:
            before = scene.ask(balancer.name, "counters")["dropped_forward"]
            said = scene.ask(
                CLIENT, "sweep", targets=others, full=[], few=ports, via=str(balancer.public), source_port=61070,
                patience_s=scene.patience_s,
            )  # fmt: skip
            dropped = scene.ask(balancer.name, "counters")["dropped_forward"] - before
        except AskFailed as failure:
            yield untested(identifier, claim, str(failure))
            continue
        answered = {
            address: way["open"] + way["closed"] for address, way in said.items() if way["open"] or way["closed"]
        }
        sent = sum(way["sent"] for way in said.values())
        # Where the kernel does not forward at all, it drops before the wall can count.
        yield judged(
            identifier, claim, sent > 0 and not answered, sent=sent, via=str(balancer.public), answered=answered,
            counted_by_the_wall=dropped,
        )  # fmt: skip


def check_spoofed(scene: Scene) -> Iterator[Check]:
    """A host's own address does not come in from outside, nor an address of the internet side from the private one."""
    ports = sorted({flow.port for flow in scene.topology.flows if flow.port is not None})
    for host in scene.topology.hosts.values():
        identifier = f"walls.spoofed.{host.name}"
        claim = f"{host.name} drops, and counts, what comes under an address that cannot be on that side"
        sender = next((other.name for other in scene.topology.hosts.values() if other.name != host.name), None)
        if sender is None:
            yield untested(identifier, claim, "no other machine of ours reaches it")
            continue
        try:
            false = {"its own": str(host.private), **_from_the_internet(scene, host)}
            dropped = {}
            for label, source in ({"true": None} | false).items():
                before = scene.ask(host.name, "counters")["dropped_spoofed"]
                sent = scene.ask(
                    sender, "sweep", targets=[str(host.private)], full=[], few=ports, source=source,
                    source_port=61090, patience_s=scene.patience_s,
                )  # fmt: skip
                dropped[label] = scene.ask(host.name, "counters")["dropped_spoofed"] - before
        except AskFailed as failure:
            yield untested(identifier, claim, str(failure))
            continue
        if not all(way["sent"] for way in sent.values()):
            yield untested(identifier, claim, f"{sender} could not send to it")
            continue
        good = all(dropped[label] >= len(ports) for label in false) and dropped["true"] < len(ports)
        proof = {"sent": len(ports), "source": sender, "false_addresses": false, "dropped_as_spoofed": dropped}
        yield judged(identifier, claim, good, **proof)


def _from_the_internet(scene: Scene, host: Host) -> dict[str, str]:
    """Routes of a host with one network lead everywhere through it, so there nothing else is certainly false."""
    if scene.client is None or host.public is None or host.public == host.private:
        return {}
    return {"the internet's": next(a["address"] for a in scene.ask(CLIENT, "addresses") if a["family"] == "inet")}
