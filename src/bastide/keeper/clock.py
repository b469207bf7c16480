"""The keeper's clock.

Out: seconds. Holds: goes on while the machine sleeps, and knows no leap.
"""

from __future__ import annotations

import time

STALE_S = 12.0
"""A loop that has not come round for this long is stuck (a slow statement may take five seconds), and says nothing more."""


def now_s() -> float:
    """Seconds since the boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
