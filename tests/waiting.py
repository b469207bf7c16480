"""Waiting in tests: for all that is asserted, and long enough for a machine that is busy with something else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LONG_S = 60.0


def wait_for(
    look: Callable[[], T], good: Callable[[T], object], *, within_s: float = LONG_S, every_s: float = 0.05
) -> T:
    """Look until what is seen is good; the last look. What was seen last is told when it never is."""
    end = time.monotonic() + within_s
    while not good(seen := look()):
        assert time.monotonic() < end, f"after {within_s:.0f} s still: {seen!r}"
        time.sleep(every_s)
    return seen


def wait_until(holds: Callable[[], object], *, within_s: float = LONG_S, every_s: float = 0.02) -> None:
    """Until it holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"waited {within_s:.0f} s in vain"
        time.sleep(every_s)
