"""What the balancers see after a change: worse at once, worse a moment later, and well again."""

from __future__ import annotations

import itertools

import pytest

from bastide.apply import edge as module
from bastide.apply.edge import Edge, EdgeView
from bastide.products.haproxy.servers import CHECK_S
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import make_spec

BOTH, ONE = frozenset({"web1", "web2"}), frozenset({"web2"})
SILENT: frozenset[str] = frozenset()
BEFORE = {"lb1": EdgeView(serving=BOTH, good=BOTH, status=200)}
UNASKED = {"lb1": EdgeView(serving=BOTH, status=200)}
"""From a balancer that could ask nobody itself."""


class Clock:
    """Time that passes by being slept."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


Stretch = tuple[float, frozenset[str], frozenset[str]]


def seeing(monkeypatch: pytest.MonkeyPatch, clock: Clock, *stretches: Stretch) -> Edge:
    """An edge whose balancer sends to these servers, and has good answers of those, each for so many seconds; the last
    ones from then on."""
    ends = list(itertools.accumulate((seconds for seconds, _, _ in stretches), initial=clock.now))[1:]

    def look(*_: object, **__: object) -> dict[str, EdgeView]:
        at = next((n for n, end in enumerate(ends) if clock.now < end), len(ends) - 1)
        return {"lb1": EdgeView(serving=stretches[at][1], good=stretches[at][2], status=200)}

    spec = make_spec(
        {"lb1": ["balancer"], "web1": ["web"], "web2": ["web"]}, app={"kind": "static", "path": "./site"}
    )
    monkeypatch.setattr(Edge, "look", look)
    return Edge(resolve_topology(spec), {}, "/health", frozenset())


def test_a_server_that_turns_bad_is_found_before_its_balancer_asks_again(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    worse = seeing(monkeypatch, clock, (CHECK_S + 0.5, BOTH, ONE), (20, BOTH, ONE)).await_as_good(BEFORE)
    assert worse is not None and worse.message == "lb1 gets no good answer from web1 any more"
    late = seeing(monkeypatch, clock, (CHECK_S + 0.5, BOTH, ONE), (20, ONE, ONE)).await_as_good(BEFORE)
    assert late is not None and late.message == "lb1 does not send requests to web1 any more"


def test_what_is_well_is_believed_at_once(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    assert seeing(monkeypatch, clock, (1, BOTH, BOTH)).await_as_good(BEFORE) is None
    assert clock.now == 100


def test_where_hosts_cannot_ask_a_balancers_own_checks_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    edge = seeing(monkeypatch, clock, (CHECK_S + 0.5, BOTH, SILENT), (1, ONE, SILENT))
    worse = edge.await_as_good(UNASKED)
    assert worse is not None and worse.message == "lb1 does not send requests to web1 any more"


def test_what_recovers_in_time_is_as_good(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    assert seeing(monkeypatch, clock, (6, ONE, ONE), (1, BOTH, BOTH)).await_as_good(BEFORE) is None
    assert 6 <= clock.now - 100 < 7


def test_what_is_well_until_patience_ends_is_watched_as_long_as_any(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    stretches = ((module.PATIENCE_S - 0.5, ONE, SILENT), (1.0, BOTH, SILENT), (1.0, ONE, SILENT))
    assert seeing(monkeypatch, clock, *stretches).await_as_good(UNASKED) is not None


def test_where_nothing_was_seen_before_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    assert seeing(monkeypatch, clock, (1, ONE, ONE)).await_as_good({}) is None
    assert clock.now == 100
