"""Metrics that programs on this host hand in.

In: names, labels and values from `statsd`, `otlp` and `/push`. Out: lines of the text format.
Holds: the number of series is bounded; one more is refused (`TooManySeries`) and counted, and nothing of the same
name that exists is disturbed. Series that nobody has touched for an hour go. Names that are ours are refused.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from bastide.agent.exposition import format_series

Kind = Literal["counter", "gauge"]
EXPIRY_S = 3600.0
MAX_LABELS = 16
MAX_TEXT = 200
RESERVED = ("bastide_", "nginx_", "haproxy_", "node_", "mysql_", "vm_", "vmagent_")
_NOT_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_LABEL = re.compile(r"[^a-zA-Z0-9_]")
Key = tuple[str, tuple[tuple[str, str], ...]]


class Refused(ValueError):
    """What was handed in is not a metric; the message says why."""


class TooManySeries(Exception):
    """The host has as many pushed series as it may have."""


class Pushed:
    """All series that were handed in."""

    def __init__(self, max_series: int, clock: Callable[[], float] = time.monotonic):
        self._max_series = max_series
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[Key, list[float]] = {}  # value, last touched
        self._kinds: dict[str, Kind] = {}
        self.refused_series = 0

    def __len__(self) -> int:
        return len(self._values)

    def set(self, name: str, labels: Mapping[str, object], value: float, kind: Kind) -> None:
        """Replace a value. Raises Refused, TooManySeries."""
        self._put(name, labels, value, kind, add=False)

    def add(self, name: str, labels: Mapping[str, object], value: float, kind: Kind = "counter") -> None:
        """Add to a value. Raises Refused, TooManySeries."""
        self._put(name, labels, value, kind, add=True)

    def _put(self, name: str, labels: Mapping[str, object], value: float, kind: Kind, *, add: bool) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Refused(f"{name!r}: not a number: {value!r:.50}")
        if kind == "counter" and value < 0:
            raise Refused(f"{name!r}: a counter does not go down")
        key = (clean_name(name), _clean_labels(name, labels))
        now = self._clock()
        with self._lock:
            if self._kinds.get(key[0], kind) != kind:
                raise Refused(f"{key[0]} is a {self._kinds[key[0]]} already")
            held = self._values.get(key)
            if held is None:
                if len(self._values) >= self._max_series and not self._expire(now):
                    self.refused_series += 1
                    raise TooManySeries(f"{self._max_series} series are pushed on this host already")
                self._kinds[key[0]] = kind
                held = self._values[key] = [0.0, now]
            held[0] = held[0] + value if add else value
            held[1] = now

    def _expire(self, now: float) -> int:
        old = [key for key, (_, touched) in self._values.items() if now - touched > EXPIRY_S]
        for key in old:
            del self._values[key]
        names = {name for name, _ in self._values}
        self._kinds = {name: kind for name, kind in self._kinds.items() if name in names}
        return len(old)

    def format(self) -> Iterator[str]:
        """Lines, by name."""
        with self._lock:
            self._expire(self._clock())
            found = sorted((key, value[0]) for key, value in self._values.items())
        for (name, labels), value in found:
            yield format_series(name, dict(labels), value)


def clean_name(name: object) -> str:
    """As Prometheus spells names. Raises Refused."""
    if not isinstance(name, str) or not name or len(name) > MAX_TEXT:
        raise Refused("a metric's name is a text of 1 to 200 characters")
    cleaned = _NOT_NAME.sub("_", name)
    if cleaned[0].isdigit():
        cleaned = f"_{cleaned}"
    if cleaned == "up" or cleaned.startswith(RESERVED):
        raise Refused(f"names that begin as {cleaned!r:.50} are the system's own")
    return cleaned


def _clean_labels(name: str, labels: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    if len(labels) > MAX_LABELS:
        raise Refused(f"{name!r:.50}: more than {MAX_LABELS} labels")
    found = {}
    for label, value in labels.items():
        cleaned = _NOT_LABEL.sub("_", str(label)[:MAX_TEXT])
        if not cleaned or cleaned[0].isdigit() or cleaned.startswith("__"):
            cleaned = f"label_{cleaned}"
        if cleaned in ("host", "instance", "job"):
            cleaned = f"exported_{cleaned}"
        found[cleaned] = "".join(c if c.isprintable() else "\ufffd" for c in str(value)[:MAX_TEXT])
    return tuple(sorted(found.items()))
