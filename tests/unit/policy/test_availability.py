"""Predicted availability: what adding up every state of a small layout gives."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.policy.availability import predict_availability, unavailability
from bastide.policy.paths import derive_request_path
from bastide.spec.review import Availability, Repair
from bastide.topology.model import Service, Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

FRAGILE = Availability(
    host=Repair(mtbf=90.0, mttr=10.0),
    balancer=Repair(mtbf=80.0, mttr=20.0),
    web=Repair(mtbf=70.0, mttr=30.0),
    app=Repair(mtbf=95.0, mttr=5.0),
    database=Repair(mtbf=85.0, mttr=15.0),
    witness=Repair(mtbf=60.0, mttr=40.0),
)


def by_every_state(topology: Topology, figures: Availability) -> float:
    """Try each combination of machines and roles that are there or not."""
    stages = derive_request_path(topology).stages
    parts: dict[tuple[str, str], float] = {}
    for stage in stages:
        for host in stage.members:
            parts[("host", host)] = unavailability(figures.host)
            name = "witness" if stage.role == "voters" else stage.role
            parts[(stage.role, host)] = unavailability(getattr(figures, name))
    total = 0.0
    for state in product((True, False), repeat=len(parts)):
        up = dict(zip(parts, state, strict=True))
        share = 1.0
        for part, away in parts.items():
            share *= 1 - away if up[part] else away
        alive = {s.name: sum(up[("host", h)] and up[(s.role, h)] for h in s.members) for s in stages}
        needed = {
            s.name: len(s.members) // 2 + 1 if s.role == "voters" else len(s.members) if s.name == "standby" else 1
            for s in stages
        }
        total += share if all(alive[name] >= needed[name] for name in alive) else 0.0
    return total


@settings(deadline=None, max_examples=15)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.lists(st.sampled_from(["balancer", "web", "app", "database"]), min_size=1, max_size=4, unique=True),
        min_size=1,
    ).filter(
        lambda layout: {"balancer", "web", "app", "database"} <= {r for roles in layout.values() for r in roles}
    ),
    st.integers(0, 3),
    st.booleans(),
)
def test_it_is_the_sum_over_every_state(layout: dict[str, list[str]], votes: int, block: bool) -> None:
    topology = replace(resolve_topology(make_spec(layout)), writes_need_standby=block)
    voters = tuple(Service(product="etcd", host=name, unit="etcd.service") for name in list(layout)[:votes])
    topology = replace(topology, services=topology.services + voters)
    prediction = predict_availability(topology, FRAGILE)
    assert prediction.writes == pytest.approx(by_every_state(topology, FRAGILE), abs=1e-12)


def test_more_of_everything_is_better() -> None:
    one, board, resilient = (
        predict_availability(resolve_topology(make_spec(layout)), Availability()).writes
        for layout in (EVERYTHING_ON_ONE, WHITEBOARD, RESILIENT)
    )
    assert one < board < resilient < 1


def test_the_arithmetic_shows_every_figure_that_it_used() -> None:
    lines = predict_availability(resolve_topology(make_spec(WHITEBOARD)), Availability()).arithmetic
    text = "\n".join(lines)
    assert "4h / (365d + 4h) = 0.000456 of the time" in text
    for stage in ("balancer", "web", "app", "primary"):
        assert f"{stage}: its software" in text
