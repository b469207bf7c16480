"""For how long a host may be silent before it is called so.

In: when its frames came, by our own clock. Out: its patience in seconds, and how long it has been silent.
Holds: a host whose frames come once a second, to the tenth, is missed after 1.6 s; one whose frames are uneven, as
under load, gets up to `STALE_S`. Time in which we slept ourselves (a busy or stopped monitor) is nobody's silence.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_S = 1.6
"""A frame a second, and what a busy network and two busy machines may add."""
STALE_S = 3.0
DEAD_S = 10.0
_MARGIN_S = 0.4
_FORGETTING = 0.97
"""By which an old gap counts less with each frame: half of it is left after 23."""


@dataclass(kw_only=True)
class Pulse:
    """Of one host."""

    heard: float = 0.0
    """Our own clock when the newest frame came: a host's wrong clock does not make it look dead."""
    slept: float = 0.0
    """What we had slept by then, in all."""
    usual_s: float = 1.0
    """The longest gap between two frames, the older the less."""

    def beat(self, now: float, slept: float) -> None:
        """A frame came."""
        if self.heard:
            gap = min(STALE_S, (now - self.heard) - (slept - self.slept))
            self.usual_s = max(1.0, gap, self.usual_s * _FORGETTING)
        self.heard, self.slept = now, slept

    @property
    def patience_s(self) -> float:
        """After which silence means something."""
        return min(STALE_S, max(LEAST_S, self.usual_s * 1.2 + _MARGIN_S))

    def freshness(self, now: float, slept: float) -> str:
        """`fresh`, `stale` or `dead`."""
        silent_s = (now - self.heard) - (slept - self.slept)
        return "dead" if silent_s > DEAD_S else "stale" if silent_s > self.patience_s else "fresh"
