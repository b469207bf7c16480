"""When a primary leaves its seat because its disk fills up. Pure, part of `takeover.py`.

In: progress, look, seat of the holder. Out: whether it leaves, and how.
Holds: it leaves only to the named standby, which has every acknowledged write, and only where there is far more room: two
databases that fill up together do not pass the seat to and fro. In order while there is still room for that; by its
server's death when there is none, since commits hang then, and whatever waits for them.
"""

from __future__ import annotations

from typing import Literal

from bastide.keeper.facts import Look, Progress
from bastide.keeper.seat import Seat

FULL_BYTES = 32 << 20
"""With less, the next commits may not be written: MariaDB waits then, a minute at a time, until there is room."""
LOW_BYTES = 256 << 20
TIMES = 4
"""So many times the room must the standby have, and as many times LOW_BYTES."""
AGAIN_S = 60.0
"""After a handover that failed: each try stops writes for a moment."""


def leaves(progress: Progress, look: Look, seat: Seat, hold_s: float) -> Literal["", "in order", "at once"]:
    """Whether the holder leaves for want of room; `hold_s`: how long takeovers must be apart."""
    standby, peer = seat.standby, look.peer
    if look.room_bytes is None or look.room_bytes >= LOW_BYTES or standby is None or seat.paused:
        return ""
    ready = (
        peer.answered and peer.host == standby.host and peer.session == standby.session and peer.state == "running"
    )
    if not ready or peer.room_bytes < TIMES * LOW_BYTES or look.epoch_age_s < hold_s:
        return ""
    if look.room_bytes < FULL_BYTES:
        return "at once"
    return "in order" if look.now_s - progress.left_s >= AGAIN_S else ""
