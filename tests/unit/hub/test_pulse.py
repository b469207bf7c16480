"""A host that dies is missed in well under two seconds; one that is late under load, or while we slept, is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.hub.pulse import DEAD_S, LEAST_S, STALE_S, Pulse


def beaten(gaps: list[float]) -> tuple[Pulse, float]:
    pulse, now = Pulse(), 1000.0
    pulse.beat(now, 0.0)
    for gap in gaps:
        now += gap
        pulse.beat(now, 0.0)
    return pulse, now


def test_a_host_that_speaks_each_second_is_missed_after_sixteen_tenths() -> None:
    pulse, now = beaten([1.0, 0.95, 1.05] * 20)
    assert pulse.freshness(now + LEAST_S + 0.1, 0.0) == "stale"
    assert pulse.freshness(now + LEAST_S - 0.1, 0.0) == "fresh"
    assert pulse.freshness(now + DEAD_S + 0.1, 0.0) == "dead"


@given(st.lists(st.floats(0.2, 2.0), min_size=1, max_size=100))
def test_a_gap_that_came_before_is_no_alarm_soon_after(gaps: list[float]) -> None:
    pulse, now = beaten([*gaps, 2.0, 1.0, 1.0])
    assert pulse.freshness(now + 2.0, 0.0) == "fresh"
    assert LEAST_S <= pulse.patience_s <= STALE_S


def test_an_old_gap_is_forgotten() -> None:
    pulse, _ = beaten([60.0])
    assert pulse.patience_s == STALE_S
    pulse, _ = beaten([60.0, *[1.0] * 60])
    assert pulse.patience_s < LEAST_S + 0.1


@pytest.mark.parametrize(("slept", "said"), [(0.0, "stale"), (5.0, "fresh")])
def test_what_we_slept_is_nobodys_silence(slept: float, said: str) -> None:
    pulse, now = beaten([1.0] * 5)
    assert pulse.freshness(now + 6.0, slept) == said
    pulse.beat(now + 6.0, slept)
    assert (pulse.patience_s < STALE_S) == bool(slept), "nor does it make us patient"
