"""What the balancers see after a change: worse at once, worse a moment later, and well again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from bastide.apply import edge as module
from bastide.apply.edge import Edge, EdgeView
from bastide.products.haproxy.view import CHECK_S
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import make_spec

BOTH, ONE = frozenset({"web1", "web2"}), frozenset({"web2"})
BEFORE = {"lb1": EdgeView(serving=BOTH, status=200)}


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


def seeing(monkeypatch: pytest.MonkeyPatch, clock: Clock, *stretches: tuple[float, frozenset[str]]) -> Edge:
    """An edge whose balancer sees these servers, each for so many seconds; the last ones from then on."""
    ends = list(itertools.accumulate((seconds for seconds, _ in stretches), initial=clock.now))[1:]

    def views() -> Iterator[frozenset[str]]:
        while True:
            yield next(
                (who for end, (_, who) in zip(ends, stretches, strict=True) if clock.now < end), stretches[-1][1]
            )

    spec = make_spec(
        {"lb1": ["balancer"], "web1": ["web"], "web2": ["web"]}, app={"kind": "static", "path": "./site"}
    )
    edge, seen = Edge(resolve_topology(spec), {}, "/health", frozenset()), views()
    monkeypatch.setattr(Edge, "look", lambda *_, **__: {"lb1": EdgeView(serving=next(seen), status=200)})
    return edge


def test_a_server_that_turns_bad_is_found_by_a_balancers_next_check(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    worse = seeing(monkeypatch, clock, (CHECK_S + 0.5, BOTH), (1, ONE)).await_as_good(BEFORE)
    assert worse is not None and "does not send requests to web1 any more" in worse.message


def test_whoever_looks_only_once_is_deceived(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """The control: the same balancer, asked at once."""
    assert seeing(monkeypatch, clock, (CHECK_S + 0.5, BOTH), (1, ONE)).await_as_good(BEFORE, notice_s=0) is None


def test_what_recovers_in_time_is_as_good(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    assert seeing(monkeypatch, clock, (6, ONE), (1, BOTH)).await_as_good(BEFORE) is None
    assert 6 < clock.now - 100 < 10


def test_what_is_well_until_patience_ends_is_watched_as_long_as_any(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    edge = seeing(monkeypatch, clock, (module.PATIENCE_S - 0.5, ONE), (1, BOTH), (1, ONE))
    assert edge.await_as_good(BEFORE) is not None


def test_where_nothing_was_seen_before_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    assert seeing(monkeypatch, clock, (1, ONE)).await_as_good({}) is None
    assert clock.now == 100
