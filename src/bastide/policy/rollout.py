"""In which order hosts change, so that whatever is redundant stays up.

In: topology, which hosts are fresh (nothing applied yet) and which change, and what is known of the run time: the
primary, the balancer that holds the virtual address, the hosts that are away. Out: batches of host names; the hosts of
a batch change at the same time, the next batch only when all are well.
Holds: every changing host is in exactly one batch. Unless all hosts are fresh or must change at once, no batch holds
two balancers, two databases, more than `batch` (at least one, at most half) of a redundant tier, or a host of several
roles together with another host of one of its redundant tiers. The first host of a redundant tier goes alone in it.
Tiers change one after the other; only where no host loses more than a reload do hosts of several tiers change together,
and even then no host together with one that it asks for something that changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bastide.policy.waves import derive_waves, tier_limit
from bastide.spec.parts import Role
from bastide.topology.model import Host, Topology

_TIES: tuple[Role, ...] = ("monitor", "database", "app", "web", "balancer", "witness")
"""Between tiers that no flow puts in an order."""
SHARE = 0.25


def derive_rollout(
    topology: Topology,
    *,
    fresh: frozenset[str],
    changed: frozenset[str],
    primary: str | None,
    holder: str | None = None,
    away: frozenset[str] = frozenset(),
    batch: float | int = SHARE,
    at_once: bool = False,
    reloads: Mapping[str, frozenset[str]] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Batches of the changed hosts. `batch`: a share of a tier, or (int) a number of hosts. `at_once`: hosts of before
    and after do not understand each other, so that no order keeps anything up. `reloads`: by changing host the products
    that are reloaded there, if nothing is lost anywhere by more than that."""
    names = tuple(name for name in topology.hosts if name in changed)
    if not names:
        return ()
    if at_once or fresh >= topology.hosts.keys() - away:
        # Nothing serves yet: databases and clusters form fastest when their members start together.
        return (names,)
    order = tier_order(topology)
    claims = _claims(topology, order)
    batches: list[tuple[str, ...]] = []
    for role in order:
        hosts = [topology.hosts[name] for name in names if _turn(topology.hosts[name], claims) == role]
        batches += _batches(topology, role, hosts, frozenset({primary, holder} - {None}), batch)
    if reloads is None:
        return tuple(batches)
    return derive_waves(topology, batches, reloads, frozenset({primary, holder} - {None}), batch)


def tier_order(topology: Topology) -> tuple[Role, ...]:
    """What is asked changes before what asks it; first of all what every host asks.

    Monitors are asked by every host: they serve no visitor, and what changes after them is watched by the new rules.
    """
    asked_by_all = _asked_by_all(topology)
    asks: dict[Role, set[str]] = {role: set() for role in _TIES}
    for flow in topology.flows:
        if flow.source in asks and flow.source not in asked_by_all and flow.source != flow.target:
            asks[flow.source].add(flow.target)
    left, order = sorted(_TIES, key=lambda role: (role not in asked_by_all, _TIES.index(role))), []
    while left:
        ready = (role for role in left if not asks[role] & set(left))
        order.append(next(ready, left[0]))
        left.remove(order[-1])
    return tuple(order)


def _asked_by_all(topology: Topology) -> frozenset[str]:
    return frozenset(flow.target for flow in topology.flows if flow.source == "any")


def _claims(topology: Topology, order: Sequence[Role]) -> tuple[Role, ...]:
    """With which tier a host of several roles changes: a monitor that is a database too must not overtake its replicas."""
    side: tuple[Role, ...] = tuple(r for r in order if r in _asked_by_all(topology) or r in ("monitor", "witness"))
    return (*(role for role in order if role not in side), *side)


def _turn(host: Host, claims: Sequence[Role]) -> Role:
    return next(role for role in claims if role in host.roles)


def _batches(
    topology: Topology, role: Role, hosts: Sequence[Host], last: frozenset[str | None], share: float | int
) -> Iterable[tuple[str, ...]]:
    """The tier's batches; those in `last` after all others, because the others can take over from them."""
    others = [h for h in hosts if h.name not in last]
    tier = len(topology.tier(role))
    redundant = tier > 1
    limit = tier_limit(role, tier, share) if redundant else len(others)
    batch: list[Host] = []
    first = redundant
    for host in others:
        # The first host of a redundant tier goes alone: what is wrong shows there, and nowhere else.
        if batch and (first or len(batch) >= limit or any(_collide(topology, host, other) for other in batch)):
            yield tuple(h.name for h in batch)
            batch, first = [], False
        batch.append(host)
    if batch:
        yield tuple(h.name for h in batch)
    for host in hosts:
        if host.name in last:
            yield (host.name,)


def _collide(topology: Topology, one: Host, other: Host) -> bool:
    """Whether changing both at once would take two hosts out of a redundant tier unseen."""
    several = len(one.roles) > 1 or len(other.roles) > 1
    return several and any(role in other.roles and len(topology.tier(role)) > 1 for role in one.roles)
