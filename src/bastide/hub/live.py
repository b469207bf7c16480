"""The last fifteen minutes of every host, in memory.

In: frames, in any order. Out: gauges and figures by second, counters of the last minute.
Holds: bounded: so many hosts, names and seconds, whatever is sent; a late or repeated frame changes nothing.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bastide.hub.figures import Figures, derive_figures, total
from bastide.hub.frames import Frame
from bastide.hub.pulse import Pulse

MINUTES = 15
SECONDS = MINUTES * 60
WINDOW_S = 5.0
"""Over which rates and latencies are taken: short enough to see an outage, long enough to have a p99."""
COUNTERS_S = 70
MAX_SERIES = 128

_NAN = float("nan")


class Ring:
    """A number a second, the last fifteen minutes of it."""

    def __init__(self) -> None:
        self._values = array("d", [_NAN]) * SECONDS
        self._seconds = array("q", [-1]) * SECONDS

    def put(self, second: int, value: float) -> None:
        """The value of that second; the last one counts."""
        self._values[second % SECONDS] = value
        self._seconds[second % SECONDS] = second

    def last(self, until: int, count: int) -> list[float | None]:
        """`count` seconds up to and with `until`; None where nothing was said."""
        wanted = range(until - count + 1, until + 1)
        return [
            self._values[s % SECONDS]
            if self._seconds[s % SECONDS] == s and not math.isnan(self._values[s % SECONDS])
            else None
            for s in wanted
        ]


@dataclass(kw_only=True)
class LiveHost:
    """What is known of one host."""

    name: str
    frames: deque[Frame] = field(default_factory=lambda: deque(maxlen=COUNTERS_S))
    """The newest last; counters are kept in these alone."""
    pulse: Pulse = field(default_factory=Pulse)
    series: dict[str, Ring] = field(default_factory=dict)
    figures: Mapping[tuple[str, str], Figures] = field(default_factory=dict)
    """Of the last window, by service and route."""
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same by service alone, as it is shown."""

    @property
    def heard(self) -> float:
        """Our own clock when the newest frame came."""
        return self.pulse.heard

    def take(self, frame: Frame, now: float, slept: float = 0.0) -> bool:
        """Note a frame; False for one that is not newer than what we have."""
        newest = self.frames[-1] if self.frames else None
        if newest is not None and frame.t <= newest.t:
            return False
        self.frames.append(frame)
        self.pulse.beat(now, slept)
        base = self._frame_before(frame.t - WINDOW_S)
        if base is not None:
            self.figures = derive_figures(base.counters, frame.counters, frame.t - base.t)
        second = int(frame.t)
        for name, value in frame.gauges.items():
            self._put(name, second, value)
        # Worked out once for each frame: the state is looked at more often than frames come.
        self.services = {service: figures.to_json() for service, figures in by_service(self.figures).items()}
        for service, shown in self.services.items():
            for key in ("rate", "errors", "p50_ms", "p95_ms", "p99_ms"):
                if shown[key] is not None:
                    self._put(f"{service}.{key}", second, shown[key])
        return True

    def gauge(self, name: str) -> float | None:
        """Its newest value."""
        return self.frames[-1].gauges.get(name) if self.frames else None

    def counter_at(self, prefix: str, t: float) -> float | None:
        """Sum of the counters with that prefix at a moment, between two frames in proportion; None: not covered.

        Hosts send at different moments of a second; only at a common moment can their counts be compared.
        """
        before = self._frame_before(t)
        after = next((f for f in self.frames if f.t > t), None)
        if before is None or before.t > t or after is None:
            return None
        old, new = _sum(before, prefix), _sum(after, prefix)
        return old + (new - old) * (t - before.t) / (after.t - before.t)

    def _frame_before(self, t: float) -> Frame | None:
        """The newest frame that is not younger than `t`; failing that the oldest, unless it is the only one."""
        for frame in reversed(self.frames):
            if frame.t <= t:
                return frame
        return self.frames[0] if len(self.frames) > 1 else None

    def _put(self, name: str, second: int, value: float) -> None:
        ring = self.series.get(name)
        if ring is None:
            if len(self.series) >= MAX_SERIES:
                return
            ring = self.series[name] = Ring()
        ring.put(second, value)


class Live:
    """All hosts."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.hosts = {name: LiveHost(name=name) for name in hosts}
        self.slept = 0.0
        """Seconds in which the hub did not look, although it meant to."""

    def take(self, frame: Frame, now: float) -> bool:
        """Note a frame. Raises KeyError for a host that the spec does not have."""
        return self.hosts[frame.host].take(frame, now, self.slept)

    def freshness(self, host: LiveHost, now: float) -> str:
        """`unseen`, `fresh`, `stale` or `dead`."""
        return host.pulse.freshness(now, self.slept) if host.frames else "unseen"


def by_service(figures: Mapping[tuple[str, str], Figures]) -> dict[str, Figures]:
    """Routes put together."""
    return {
        service: total(part for (of, _), part in figures.items() if of == service)
        for service in dict.fromkeys(of for of, _ in figures)
    }


def _sum(frame: Frame, prefix: str) -> float:
    return sum(value for name, value in frame.counters.items() if name.startswith(prefix))
