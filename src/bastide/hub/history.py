"""What was shown: the state of each few seconds of the last hour, to go back to.

In: the state as text, as watchers got it. Out: the one of a moment, word for word: picture, verdict, figures, alerts.
Holds: bounded: so many states, each compressed (1 kB for nine hosts, 7 kB for a hundred). `past.py` keeps them over
a restart; before the oldest, and for the minutes without a hub, nothing is made up.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Any

from bastide.hub.past import Moment
from bastide.hub.state import compact_state

EVERY_S = 5
REMEMBERED_S = 3600
KEPT = REMEMBERED_S // EVERY_S


class History:
    """The last hour."""

    def __init__(self, earlier: Iterable[Moment] = ()) -> None:
        self._times: deque[float] = deque(maxlen=KEPT)
        self._texts: deque[bytes] = deque(maxlen=KEPT)
        for t, packed in earlier:
            self._times.append(t)
            self._texts.append(packed)

    def put(self, t: float, text: str) -> Moment | None:
        """The state of now, packed; one of a clock that went back is left out, so that times only grow."""
        if self._times and t <= self._times[-1]:
            return None
        self._times.append(t)
        self._texts.append(zlib.compress(text.encode(), 1))
        return t, self._texts[-1]

    def put_sometimes(self, state: dict[str, Any]) -> Moment | None:
        """The state, if the one before is long enough ago; called each second. What was put, if anything."""
        if self._times and state["t"] - self._times[-1] < EVERY_S - 0.5:
            return None
        return self.put(state["t"], json.dumps(compact_state(state), separators=(",", ":")))

    def moments(self) -> tuple[Moment, ...]:
        """All that is remembered, the oldest first."""
        return tuple(zip(self._times, self._texts, strict=True))

    @property
    def since(self) -> float | None:
        """The oldest moment that is kept."""
        return self._times[0] if self._times else None

    def at(self, t: float) -> tuple[float, str] | None:
        """The last state that was not after `t`, and its moment."""
        place = bisect_right(self._times, t) - 1
        if place < 0:
            return None
        return self._times[place], zlib.decompress(self._texts[place]).decode()
