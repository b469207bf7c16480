"""Scenarios that follow from the topology: each host and each service lost in every way, pairs, one product everywhere.

In: a Topology. Out: Scenarios whose expectation is what `policy` predicts. `parse_name` makes the same of a name such as
`kill:web1+web2`, for what is not listed. Raises UnknownTarget.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from bastide.drill.scenario import CLOCKED, KINDS, WHOLE, Expectation, FaultSpec, Kind, Scenario
from bastide.drill.targets import Facts, UnknownTarget
from bastide.policy.cutsets import predict
from bastide.spec.parts import Role
from bastide.topology.model import Topology

HOST_KINDS: tuple[Kind, ...] = ("kill", "freeze", "cut", "reboot", "full", "expire", "clock")
SERVICE_KINDS: tuple[Kind, ...] = ("kill", "crash", "freeze")
NOT_DAEMONS = frozenset({"nftables", "system", "sshd"})
"""Settings of the kernel, and our own way in: nothing of these can die under a request."""
HOLD_S = 6.0
_LOSS = 0.2
_NEXT: tuple[tuple[Role, str, Role], ...] = (
    ("balancer", "haproxy", "web"),
    ("web", "nginx", "app"),
    ("app", "app", "database"),
)
"""A tier, what of it is of no use without the next one, and that."""
_PASSING: frozenset[Kind] = frozenset({"crash", "reboot", "loss", "clock", "switchover", "rotate"})
"""Faults after which the part is there again by itself, or is there all the time: reads and writes go on."""


def host_scenarios(topology: Topology, kind: Kind = "kill") -> Iterator[Scenario]:
    """Each host in turn."""
    if kind == "expire" and not mutual(topology):
        return
    for name in topology.hosts:
        if kind != "clock" or any(service.product in CLOCKED for service in topology.services_of(name)):
            yield make_scenario(kind, (name,))


def service_scenarios(topology: Topology, kind: Kind = "kill") -> Iterator[Scenario]:
    """Each service in turn."""
    for service in topology.services:
        if service.product not in NOT_DAEMONS:
            yield make_scenario(kind, (f"{service.host}/{service.product}",))


def pair_scenarios(topology: Topology) -> Iterator[Scenario]:
    """Each pair of hosts at once."""
    for pair in combinations(topology.hosts, 2):
        yield make_scenario("kill", pair)


def product_scenarios(topology: Topology) -> Iterator[Scenario]:
    """One product failing everywhere at once, as a bad package or a bad setting would make it."""
    for product in dict.fromkeys(s.product for s in topology.services if s.product not in NOT_DAEMONS):
        yield make_scenario("kill", (f"*/{product}",))


def all_scenarios(topology: Topology) -> Iterator[Scenario]:
    """Everything that can be generated, pairs aside."""
    for kind in HOST_KINDS:
        yield from host_scenarios(topology, kind)
    for kind in SERVICE_KINDS:
        yield from service_scenarios(topology, kind)
    yield from product_scenarios(topology)
    for name in topology.hosts:
        yield make_scenario("loss", (name,))
    if len(topology.tier("database")) > 1:
        yield make_scenario("part", ("primary",), peers=("standby",))
    if any(host.votes for host in topology.hosts.values()):
        yield make_scenario("switchover", ())
    if topology.tier("balancer"):
        yield make_scenario("expire-edge", ())
    yield make_scenario("rotate", ())
    yield make_scenario("deploy", ())


def make_scenario(kind: Kind, targets: tuple[str, ...], *, peers: tuple[str, ...] = ()) -> Scenario:
    """The scenario for that loss."""
    fault = FaultSpec(kind=kind, targets=targets, peers=peers, share=_LOSS if kind == "loss" else 0.0)
    name = kind + (f":{'+'.join(targets)}" if targets else "") + (f"~{'+'.join(peers)}" if peers else "")
    return Scenario(name=name, proves=_hypothesis(fault), fault=fault, hold_s=HOLD_S)


def parse_name(name: str) -> Scenario:
    """`KIND:TARGET+TARGET`, `part:TARGET~PEER`, or a kind that needs no target. Raises UnknownTarget."""
    kind, _, rest = name.partition(":")
    said, _, peers = rest.partition("~")
    targets = tuple(part for part in said.split("+") if part)
    if kind not in KINDS or (not targets) != (kind in WHOLE) or (kind == "part") != bool(peers):
        raise UnknownTarget(
            f"scenario {name}", "bastide drill --list names them; or write KIND:HOST, KIND:HOST/SERVICE"
        )
    return make_scenario(kind, targets, peers=tuple(part for part in peers.split("+") if part))


def expect_predicted(fault: FaultSpec, topology: Topology, facts: Facts) -> Expectation:
    """What `policy` says of that loss. `fault` has plain names by now."""
    if fault.kind == "deploy":
        # Drained one after the other, where there is another.
        stand_in = len(topology.tier("web")) > 1 and len(topology.tier("app")) != 1
        why = "hosts are drained one after the other" if stand_in else "its only host starts it anew"
        return Expectation(reads="go_on", writes="go_on", why=why, failed=0 if stand_in else None)
    if fault.kind == "expire-edge":
        why = "all balancers show the same certificate, and browsers refuse one that has run out"
        return Expectation(reads="stop", writes="stop", why=why)
    if fault.kind in _PASSING:
        return Expectation(reads="go_on", writes="go_on", why="it passes, or something takes over")
    if fault.kind == "part":
        return _parted(fault, topology, facts)
    if fault.kind == "full":
        return _filled(fault, topology, facts)
    loss = predict(topology, fault.targets, primary=facts.primary)
    return Expectation(
        reads="stop" if loss.reads else "go_on", writes="stop" if loss.writes else "go_on", why=loss.why
    )


def _filled(fault: FaultSpec, topology: Topology, facts: Facts) -> Expectation:
    """A database without room is lost for writes; what only reads, and whoever only logs, goes on."""
    databases = [f"{host}/mariadb" for host in fault.targets if "database" in topology.hosts[host].roles]
    loss = predict(topology, databases, primary=facts.primary)
    why = loss.why if loss.writes else "only databases need room, and another takes over"
    return Expectation(reads="go_on", writes="stop" if loss.writes else "go_on", why=why)


def mutual(topology: Topology) -> bool:
    """Whether hosts on a request's path look at each other's certificates."""
    return any(flow.name in ("balancer-web", "web-app") and flow.encryption == "mtls" for flow in topology.flows)


def _parted(fault: FaultSpec, topology: Topology, facts: Facts) -> Expectation:
    """A service that no longer hears any host of the next tier is as good as lost, and so is a primary that hears neither
    its standby nor (both ways) most voters; otherwise all goes on."""
    lost = [
        f"{host}/{product}"
        for here, there in ((fault.targets, fault.peers), (fault.peers, fault.targets))
        for tier, product, needed in _NEXT
        for host in here
        if host in _names(topology, tier) and set() < _names(topology, needed) <= set(there)
    ]
    voters = {h.name for h in topology.hosts.values() if h.votes}
    if facts.primary in fault.targets and voters and 2 * len(voters & set(fault.peers)) > len(voters):
        lost.append(str(facts.primary))
    if lost:
        loss = predict(topology, lost, primary=facts.primary)
        return Expectation(
            reads="stop" if loss.reads else "go_on", writes="stop" if loss.writes else "go_on", why=loss.why
        )
    return Expectation(reads="go_on", writes="go_on", why="every tier still reaches the next one")


def _names(topology: Topology, tier: Role) -> set[str]:
    return {host.name for host in topology.tier(tier)}


def _hypothesis(fault: FaultSpec) -> str:
    what = " and ".join(fault.targets) or "the whole"
    words = {
        "kill": f"What audit predicts for the loss of {what} is what happens.",
        "crash": f"{what} dies once, and whoever restarts it brings it back.",
        "freeze": f"A {what} that hangs is as harmless as one that is gone.",
        "cut": f"What audit predicts for the loss of {what} is what happens when it is cut off.",
        "reboot": f"{what} reboots, and comes back by itself.",
        "loss": f"{what} loses a fifth of all packets, and the service goes on.",
        "part": f"{what} and {' and '.join(fault.peers)} do not hear each other, and never do two write.",
        "full": f"The disk of {what} is full: what only reads goes on, and what writes, where another can take over.",
        "expire": f"What audit predicts for the loss of {what} is what happens when nobody believes its certificates.",
        "expire-edge": "Visitors are turned away by a certificate that has run out, and by nothing else.",
        "clock": f"For the services of {what} the clock jumps an hour ahead, and back: nothing rests on it.",
        "switchover": "Another database becomes primary as planned work.",
        "rotate": "Every certificate is replaced by a rolling apply under load.",
        "deploy": "The application is released anew under load, and no visitor notices.",
    }
    return words[fault.kind]
