"""Clocks: what is told apart, and what is refused."""

from __future__ import annotations

import pytest

from bastide.apply.clocks import refuse_wrong_clock
from bastide.transport.clock import APART_S, clock_offset, wrong_clock
from bastide.transport.errors import HostFailed


def test_a_clock_counts_as_another_only_where_it_must_be() -> None:
    assert clock_offset(100.0, 100.2, 100.4) == 0
    assert clock_offset(100.0, 99.97, 100.4) == 0
    assert clock_offset(100.0, 160.1, 100.2) == pytest.approx(60.0)
    assert clock_offset(100.0, 40.1, 100.2) == pytest.approx(-60.0)


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [
        (0.0, ""),
        (APART_S - 1, ""),
        (1 - APART_S, ""),
        (APART_S, "its clock is 5 minutes ahead of this computer's"),
        (-7300.0, "its clock is 2 hours behind this computer's"),
        (-400 * 86400.0, "its clock is 400 days behind this computer's"),
    ],
)
def test_a_wrong_clock_is_said_so_and_how_far(ahead_s: float, said: str) -> None:
    assert wrong_clock(ahead_s) == said


def test_it_is_refused_with_what_to_do() -> None:
    refuse_wrong_clock("web1", 3600.0)
    refuse_wrong_clock("web1", -3600.0)
    with pytest.raises(HostFailed, match="2 hours ahead") as refused:
        refuse_wrong_clock("web1", 7200.0)
    assert refused.value.code == "clock" and "bastide exec web1 -- date -u" in refused.value.hint
