"""Hosts of several tiers in one batch, where none of them loses more than a reload.

In: the batches as they would be tier by tier, the products that each host reloads. Out: fewer batches of the same hosts.
Holds: each host is in one of them. Of a redundant tier the first host goes alone, then as many as its limit; what is to
come last in its tier still does. A host never changes together with, or before, one that it asks for something that
changes there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bastide.spec.parts import Role
from bastide.topology.model import Host, Topology

_ONE_BY_ONE: tuple[Role, ...] = ("balancer", "database")


def derive_waves(
    topology: Topology,
    batches: Sequence[tuple[str, ...]],
    reloads: Mapping[str, frozenset[str]],
    last: frozenset[str | None],
    share: float | int,
) -> tuple[tuple[str, ...], ...]:
    """Each host as early as what it waits for allows."""
    left = [name for batch in batches for name in batch]
    waits = {name: _waits_for(topology, name, left, reloads, last) for name in left}
    done: set[str] = set()
    waves: list[tuple[str, ...]] = []
    while left:
        wave: list[str] = []
        for name in left:
            if waits[name] <= done and _has_room(topology, name, wave, done, share):
                wave.append(name)
        wave = wave or left[:1]  # hosts that ask each other in a circle: one after the other, as without waves
        waves.append(tuple(wave))
        done |= set(wave)
        left = [name for name in left if name not in done]
    return tuple(waves)


def tier_limit(role: Role, tier: int, share: float | int) -> int:
    """How many hosts of a redundant tier may change together."""
    if role in _ONE_BY_ONE:
        return 1
    wanted = share if isinstance(share, int) else int(tier * share)
    return max(1, min(wanted, tier // 2))


def _has_room(topology: Topology, name: str, wave: Sequence[str], done: set[str], share: float | int) -> bool:
    for role in topology.hosts[name].roles:
        tier = [host.name for host in topology.tier(role)]
        limit = tier_limit(role, len(tier), share) if done & set(tier) else 1
        if len(tier) > 1 and len(set(wave) & set(tier)) >= limit:
            return False
    return True


def _waits_for(
    topology: Topology,
    name: str,
    changing: Sequence[str],
    reloads: Mapping[str, frozenset[str]],
    last: frozenset[str | None],
) -> set[str]:
    one = topology.hosts[name]
    others = [topology.hosts[other] for other in changing if other != name]
    asked = {
        other.name
        for other in others
        if _asks(topology, one, other, reloads) and not _asks(topology, other, one, reloads)
    }
    if name not in last:
        return asked
    return asked | {other.name for other in others if other.name not in last and set(other.roles) & set(one.roles)}


def _asks(topology: Topology, one: Host, other: Host, reloads: Mapping[str, frozenset[str]]) -> bool:
    """Whether one host asks another for something that changes there."""
    return any(
        flow.product in reloads[other.name] and one.stands_in(flow.source) and other.stands_in(flow.target)
        for flow in topology.flows
    )
