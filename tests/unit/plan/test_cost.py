"""What a step costs those who use the service; never said too low."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bastide.plan.cost import Cost, derive_costs
from bastide.plan.steps import HostPlan, ReloadUnit, RestartUnit, StartUnit, Step
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, make_spec


def cost(
    layout: Mapping[str, Sequence[str]],
    host: str,
    step: Step,
    *,
    primary: str | None = "db1",
    at_once: bool = False,
) -> Cost:
    topology = resolve_topology(make_spec(layout))
    plan = HostPlan(host=host, digest="d", fresh=False, steps=(step,))
    return derive_costs(plan, topology, primary, at_once=at_once)[0]


@pytest.mark.parametrize(
    ("host", "step", "expected"),
    [
        ("web1", ReloadUnit(name="nginx.service"), "reload"),
        ("web1", RestartUnit(name="nginx.service"), "drained restart"),
        ("app1", RestartUnit(name="app.service"), "drained restart"),
        ("lb1", RestartUnit(name="haproxy.service"), "switchover"),
        ("db1", RestartUnit(name="mariadb.service"), "switchover"),
        ("db2", RestartUnit(name="mariadb.service"), "drained restart"),
        ("web1", RestartUnit(name="bastide-agent.service"), "nothing"),
        ("web1", StartUnit(name="nginx.service"), "nothing"),
    ],
)
def test_cost_where_somebody_stands_in(host: str, step: Step, expected: str) -> None:
    assert cost(RESILIENT, host, step) == expected


def test_alone_every_restart_interrupts() -> None:
    for unit in ("nginx.service", "app.service", "mariadb.service", "haproxy.service"):
        assert cost(EVERYTHING_ON_ONE, "all1", RestartUnit(name=unit)) == "interruption"
    assert cost(EVERYTHING_ON_ONE, "all1", ReloadUnit(name="nginx.service")) == "reload"


def test_nobody_stands_in_where_all_change_at_once_or_the_primary_is_not_known() -> None:
    assert cost(RESILIENT, "web1", RestartUnit(name="nginx.service"), at_once=True) == "interruption"
    assert cost(RESILIENT, "db2", RestartUnit(name="mariadb.service"), primary=None) == "switchover"
