"""What a step costs those who use the service, said before it is done.

In: a host's plan, the topology, and the runtime primary if it is known. Out: a cost for each step.
Holds: pure. `interruption` is said wherever nobody could stand in, so that a plan never promises too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from bastide.plan.steps import (
    HostPlan,
    ReloadUnit,
    RemoveFile,
    RemoveUnit,
    RestartUnit,
    Settle,
    StartUnit,
    Step,
    WriteFile,
)
from bastide.spec.parts import Role
from bastide.topology.model import Topology

Cost = Literal["nothing", "reload", "drained restart", "switchover", "interruption"]
_GRAVITY: tuple[Cost, ...] = ("nothing", "reload", "drained restart", "switchover", "interruption")
_IN_THE_WAY: dict[str, tuple[Role, ...]] = {
    "haproxy": ("balancer",),
    "keepalived": ("balancer",),
    "nginx": ("web", "app"),
    "app": ("app",),
    "sqlproxy": ("app", "database"),
    "mariadb": ("database",),
}
"""Products that requests pass through, and for which tier; what is not named here serves no request."""
_LIGHT = (WriteFile, RemoveFile, ReloadUnit, Settle)
WORDS: dict[Cost, str] = {
    "nothing": "",
    "reload": "a reload; requests that run are finished",
    "drained restart": "a drained restart; the others of its tier serve meanwhile",
    "switchover": "a switchover to the one that stands by",
    "interruption": "an interruption: nothing stands in for it",
}


def derive_costs(
    plan: HostPlan, topology: Topology, primary: str | None, *, at_once: bool = False
) -> tuple[Cost, ...]:
    """One cost a step, in the order of the steps. `at_once`: all hosts change together, so nobody stands in."""
    if plan.fresh or plan.host not in topology.hosts:
        return tuple("nothing" for _ in plan.steps)
    products = {service.unit: service.product for service in topology.services_of(plan.host)}
    costs = tuple(_cost(step, products, plan.host, topology, primary) for step in plan.steps)
    return tuple("interruption" if at_once and cost != "nothing" else cost for cost in costs)


def derive_reloads(plans: Iterable[HostPlan], topology: Topology) -> Mapping[str, frozenset[str]] | None:
    """By changing host the products that are reloaded there; None when anything more than files and reloads changes."""
    found: dict[str, frozenset[str]] = {}
    for plan in plans:
        if not plan.changes:
            continue
        if plan.host not in topology.hosts or not all(isinstance(step, _LIGHT) for step in plan.steps):
            return None
        products = {service.unit: service.product for service in topology.services_of(plan.host)}
        units = [step.name for step in plan.steps if isinstance(step, ReloadUnit)]
        found[plan.host] = frozenset(products.get(unit, unit) for unit in units)
    return found


def worst(costs: Sequence[Cost]) -> Cost:
    """The gravest of them; `nothing` of none."""
    return max(costs, key=_GRAVITY.index, default="nothing")


def _cost(step: Step, products: dict[str, str], host: str, topology: Topology, primary: str | None) -> Cost:
    match step:
        case ReloadUnit(name=unit):
            return "reload" if products.get(unit) in _IN_THE_WAY else "nothing"
        case RestartUnit(name=unit) | RemoveUnit(name=unit):
            return _of_restart(products.get(unit, ""), host, topology, primary)
        case StartUnit():
            return "nothing"  # it does not run now, so nobody loses it
        case _:
            return "nothing"


def _of_restart(product: str, host: str, topology: Topology, primary: str | None) -> Cost:
    roles = [role for role in _IN_THE_WAY.get(product, ()) if role in topology.hosts[host].roles]
    if not roles:
        return "nothing"
    if any(len(topology.tier(role)) < 2 for role in roles):
        return "interruption"
    if "balancer" in roles or (product == "mariadb" and host == primary):
        return "switchover"
    if product == "mariadb" and primary is None:
        return "switchover"  # which one is the primary was not to be learnt, so it may be this one
    return "drained restart"
