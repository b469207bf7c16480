"""While something comes back, those are asked that are not well yet; nobody's word is believed for long."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bastide.drill import ground as drill_ground
from bastide.drill.ground import FRESH_S, Ground
from bastide.project.health import Health, HostHealth, ServiceHealth
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import RESILIENT, make_spec

TOPOLOGY = resolve_topology(make_spec(RESILIENT))


class World:
    """Hosts, and who was asked."""

    def __init__(self) -> None:
        self.unwell: set[str] = set()
        self.holder: str | None = "lb1"
        self.now = 1000.0
        self.asked: set[str] = set()

    def monotonic(self) -> float:
        return self.now

    def observe(self, _: object, believed: tuple[HostHealth, ...] = ()) -> Health:
        known = {host.name: host for host in believed}
        self.asked = set(TOPOLOGY.hosts) - set(known)
        hosts = tuple(known.get(name) or self.say(name) for name in TOPOLOGY.hosts)
        return Health(name="shop", url="", ca="", virtual_ip="", hosts=hosts, members={})

    def say(self, name: str) -> HostHealth:
        reason = "the application answers 504" if name in self.unwell else ""
        service = ServiceHealth(name="app", unit="app.service", healthy=not reason, reason=reason)
        return HostHealth(
            name=name, roles=TOPOLOGY.hosts[name].roles, address="", healthy=not reason, reason="", generation="g",
            holds_virtual_ip=name == self.holder, database="", services=(service,), seen_s=self.now,
        )  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(drill_ground, "observe_health", found.observe)
    monkeypatch.setattr(drill_ground, "observe_database", lambda *_: None)
    monkeypatch.setattr(drill_ground, "time", found)
    return found


@pytest.fixture
def ground(world: World) -> Ground:
    return Ground(target=cast("Any", None), topology=TOPOLOGY, lab="x")


def test_only_those_that_were_unwell_are_asked_again(world: World, ground: Ground) -> None:
    world.unwell = {"app1"}
    first = ground.look()
    assert world.asked == set(TOPOLOGY.hosts)
    assert len(first.ailments) == 1
    world.unwell, world.now = set(), world.now + 1
    assert ground.look(first).ailments == ()
    assert world.asked == {"app1"}


def test_a_word_of_long_ago_is_asked_for_anew(world: World, ground: Ground) -> None:
    world.unwell = {"app1"}
    first = ground.look()
    world.unwell, world.now = {"web1"}, world.now + FRESH_S + 0.1
    assert "web1" in ground.look(first).ailments[0], "it was well, and is not any more"
    assert world.asked == set(TOPOLOGY.hosts)


def test_age_counts_from_a_hosts_own_answer(world: World, ground: Ground) -> None:
    world.unwell = {"app1"}
    looks = ground.look()
    for _ in range(4):  # app1 stays unwell; what the others said does not become younger by that
        world.now += FRESH_S / 4
        looks = ground.look(looks)
    world.now += 0.1
    ground.look(looks)
    assert world.asked == set(TOPOLOGY.hosts)


def test_where_nobody_holds_the_address_balancers_are_asked(world: World, ground: Ground) -> None:
    world.holder = None
    first = ground.look()
    assert "no balancer holds" in first.ailments[0]
    world.holder, world.now = "lb2", world.now + 1
    seen = ground.look(first)
    assert (seen.ailments, seen.facts.active_balancer) == ((), "lb2")
    assert world.asked == {host.name for host in TOPOLOGY.tier("balancer")}
