"""How far a host's clock is from ours.

In: what it said its time is, and when we asked and heard. Out: seconds. Holds: pure; nothing is claimed of less than a
question and its answer take.
"""

from __future__ import annotations

SAME_CLOCK_S = 0.05
APART_S = 300.0
"""So far apart clocks are wrong, and are said to be; monitors refuse what is ten minutes off."""
REFUSED_S = 3660.0
"""So far apart certificates that are issued now are not believed: they are dated back by an hour."""


def clock_offset(asked: float, said: float, answered: float) -> float:
    """How far a clock is ahead that showed `said` between `asked` and `answered`; 0 where it need not be."""
    in_between = asked - SAME_CLOCK_S <= said <= answered + SAME_CLOCK_S
    return 0.0 if in_between else said - (asked + answered) / 2


def wrong_clock(ahead_s: float) -> str:
    """What is wrong with a clock that is so far ahead; empty: nothing."""
    if abs(ahead_s) < APART_S:
        return ""
    return f"its clock is {_span(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} this computer's"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"
