"""Rates and latencies from cumulative counters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.hub.figures import Figures, derive_figures, total

OLD = {"requests|edge|app|2xx": 100.0, "requests|edge|app|5xx": 1.0, "latency|edge|app|10": 90.0}


def test_figures_are_differences() -> None:
    new = {
        "requests|edge|app|2xx": 150.0,
        "requests|edge|app|5xx": 6.0,
        "requests|edge|app|4xx": 5.0,  # born since
        "latency|edge|app|10": 120.0,
        "latency|edge|app|20": 60.0,
        "latency|edge|app|+Inf": 60.0,
        "queries|database": 10.0,
        "edge_own|5xx": 3.0,
        "nonsense|x": 4.0,
    }
    found = derive_figures(OLD, new, 5.0)
    assert set(found) == {("edge", "app"), ("database", "")}
    edge = found["edge", "app"].to_json()
    assert (edge["rate"], edge["errors"], edge["client_errors"]) == (12.0, 1.0, 1.0)
    assert edge["error_share"] == pytest.approx(5 / 60, abs=1e-4)
    assert edge["p50_ms"] == 10.0
    assert edge["p95_ms"] == 19.0


def test_a_counter_that_went_back_began_anew() -> None:
    assert derive_figures(OLD, {"requests|edge|app|2xx": 7.0}, 1.0)["edge", "app"].requests == 7.0


def test_without_requests_there_is_no_latency() -> None:
    assert Figures(seconds=1.0).to_json()["p99_ms"] is None


def test_what_took_longer_than_all_bounds_counts_as_the_largest() -> None:
    assert Figures(buckets={10.0: 0.0, float("inf"): 5.0}).quantile_ms(0.5) == 10.0


@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.integers(0, 1000)), min_size=1, max_size=12))
def test_quantiles_rise_and_stay_within_the_bounds(buckets: list[tuple[float, int]]) -> None:
    running, cumulative = 0.0, {}
    for bound, count in sorted(buckets):
        running += count
        cumulative[bound] = running
    figures = Figures(buckets=cumulative)
    found = [figures.quantile_ms(share) for share in (0.5, 0.95, 0.99)]
    if running == 0:
        assert found == [None] * 3
        return
    values = [f for f in found if f is not None]
    assert values == sorted(values)
    assert all(0 <= value <= max(cumulative) for value in values)


def test_hosts_are_added_before_quantiles_are_taken() -> None:
    fast = Figures(seconds=5.0, requests=90, buckets={10.0: 90.0, 1000.0: 90.0})
    slow = Figures(seconds=5.0, requests=10, buckets={10.0: 0.0, 1000.0: 10.0})
    assert (total([fast, slow]).quantile_ms(0.95) or 0) > 500
    assert total([fast, slow]).to_json()["rate"] == 20.0


def test_of_few_requests_no_quantile_is_told_that_would_be_but_the_slowest_one() -> None:
    told = {}
    for count in (0, 1, 9, 10, 19, 20):
        figures = Figures(seconds=5.0, requests=count, buckets={1000.0: float(count)}).to_json()
        told[count] = [figures[name] is not None for name in ("p50_ms", "p95_ms", "p99_ms")]
    nothing, median, most, everything = [False] * 3, [True, False, False], [True, True, False], [True] * 3
    assert told == {0: nothing, 1: median, 9: median, 10: most, 19: most, 20: everything}
