"""Who is meant: `primary`, `first:web`, `*/nginx` become names of hosts and services.

In: a FaultSpec, the topology and the facts of the moment. Out: the same fault with plain names. Raises UnknownTarget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from bastide.drill.scenario import FaultSpec
from bastide.topology.model import Topology

WORDS = ("primary", "standby", "active-balancer")


class UnknownTarget(Exception):
    """A target that the infrastructure does not have. `hint` says what there is."""

    def __init__(self, name: str, hint: str) -> None:
        self.hint = hint
        super().__init__(f"there is no {name} to break")


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Who is what right now."""

    primary: str | None = None
    standby: str | None = None
    active_balancer: str | None = None


def resolve_fault(fault: FaultSpec, topology: Topology, facts: Facts) -> FaultSpec:
    """With names alone."""
    targets = tuple(dict.fromkeys(name for word in fault.targets for name in _names(word, topology, facts)))
    peers = tuple(dict.fromkeys(name for word in fault.peers for name in _names(word, topology, facts)))
    others = tuple(peer for peer in peers if peer not in targets)
    if fault.peers and not others:
        raise UnknownTarget(f"other host than {' and '.join(targets)}", "a host is parted from others than itself")
    return replace(fault, targets=targets, peers=others)


def _names(word: str, topology: Topology, facts: Facts) -> Iterator[str]:
    head, slash, product = word.partition("/")
    hosts = list(_hosts(head, topology, facts))
    if not slash:
        yield from hosts
        return
    having = [host for host in hosts if any(s.product == product for s in topology.services_of(host))]
    if not having:
        products = sorted({service.product for service in topology.services})
        near = get_close_matches(product, products, n=1)
        raise UnknownTarget(word, f"did you mean {near[0]}?" if near else f"products: {', '.join(products)}")
    yield from (f"{host}/{product}" for host in having)


def _hosts(word: str, topology: Topology, facts: Facts) -> Iterator[str]:
    if word == "*":
        yield from topology.hosts
        return
    if word in WORDS:
        said = {"primary": facts.primary, "standby": facts.standby, "active-balancer": facts.active_balancer}[word]
        if said is None:
            raise UnknownTarget(word, "bastide status and bastide db status say who is what")
        yield said
        return
    kind, colon, role = word.partition(":")
    if colon and kind in ("first", "each"):
        tier = [host.name for host in topology.tier(role)]  # type: ignore[arg-type]
        if not tier:
            raise UnknownTarget(word, "roles: balancer, web, app, database, monitor, witness")
        yield from tier[:1] if kind == "first" else tier
        return
    if word not in topology.hosts:
        near = get_close_matches(word, topology.hosts, n=1)
        hint = f"did you mean {near[0]}?" if near else f"hosts: {', '.join(topology.hosts)}; or {', '.join(WORDS)}"
        raise UnknownTarget(word, hint)
    yield word
