"""Which cell each host stands in.

In: the topology. Out: units (a host, or a stack of many) with the columns that they span and their row.
Holds: a host of several tiers spans them all, and those come first; hosts of one tier fill what is free beneath, in
spec order. So another web server moves nothing of another tier: units of one column never push those of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bastide.topology.model import Host, Topology, Zone

TIERS: tuple[Zone, ...] = ("balancer", "web", "app", "database")
STRIP: tuple[Zone, ...] = ("monitor", "witness")
FOLD_ABOVE = 6
"""More hosts of one kind than this, and all but the first few become a stack."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A host, or the hosts of a stack, in a cell."""

    hosts: tuple[Host, ...]
    columns: tuple[Zone, ...]
    """Tiers from the first that it spans to the last; empty in the strip."""
    row: int
    stack: bool


def derive_tiers(topology: Topology) -> tuple[Zone, ...]:
    """Tiers that have hosts, in the order of a request."""
    return tuple(tier for tier in TIERS if topology.tier(tier))


def place_tiers(topology: Topology) -> tuple[Unit, ...]:
    """Units of the columns; the widest first, then in spec order."""
    tiers = derive_tiers(topology)
    lanes: dict[tuple[Zone, ...], list[Host]] = {}
    for host in topology.hosts.values():
        span = _span(host, tiers)
        if span:
            lanes.setdefault(span, []).append(host)
    free = dict.fromkeys(tiers, 0)
    placed: list[Unit] = []
    # Stable: lanes of the same width keep spec order, and lanes of one tier do not touch each other.
    for span, hosts in sorted(lanes.items(), key=lambda lane: -len(lane[0])):
        for folded, stack in fold(hosts):
            row = max(free[tier] for tier in span)
            placed.append(Unit(hosts=folded, columns=span, row=row, stack=stack))
            free.update(dict.fromkeys(span, row + 1))
    return tuple(placed)


def place_strip(topology: Topology) -> tuple[Unit, ...]:
    """Units of the strip: hosts that stand in no tier."""
    hosts = [host for host in topology.hosts.values() if not set(host.roles) & set(TIERS)]
    return tuple(
        Unit(hosts=folded, columns=(), row=index, stack=stack) for index, (folded, stack) in enumerate(fold(hosts))
    )


def fold(hosts: Sequence[Host]) -> Iterable[tuple[tuple[Host, ...], bool]]:
    """One by one, and above the limit the rest as a stack."""
    if len(hosts) <= FOLD_ABOVE:
        return [((host,), False) for host in hosts]
    shown = FOLD_ABOVE - 1
    return [*(((host,), False) for host in hosts[:shown]), (tuple(hosts[shown:]), True)]


def _span(host: Host, tiers: tuple[Zone, ...]) -> tuple[Zone, ...]:
    own = [index for index, tier in enumerate(tiers) if tier in host.roles]
    return tiers[own[0] : own[-1] + 1] if own else ()
