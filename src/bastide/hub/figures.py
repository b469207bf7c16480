"""Rates and latencies out of cumulative counters.

In: counters of one host at two moments. Out: `Figures` a service and route.
Holds: exact differences, never extrapolated; a counter that went back was born anew, and one that the earlier
moment lacks was 0 there. Adding figures of hosts before asking for a quantile is exact, adding quantiles is not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

# Of fewer requests a quantile is but the slowest one or two: the monitor's own question, at a site that is idle.
QUANTILES = {0.5: 1, 0.95: 10, 0.99: 20}
"""What is shown, and of how many requests at least."""


@dataclass(kw_only=True, slots=True)
class Figures:
    """What one service (or one route of it) did during a window."""

    seconds: float = 0.0
    requests: float = 0.0
    errors: float = 0.0
    """Answered 5xx."""
    client_errors: float = 0.0
    """Answered 4xx."""
    buckets: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    """Requests that took at most so many milliseconds: cumulative over bounds."""

    def add(self, other: Figures) -> None:
        """Another host's part of the same window."""
        self.seconds = max(self.seconds, other.seconds)
        self.requests += other.requests
        self.errors += other.errors
        self.client_errors += other.client_errors
        for bound, count in other.buckets.items():
            self.buckets[bound] += count

    def quantile_ms(self, share: float) -> float | None:
        """Latency that `share` of the requests stayed within; linear inside a bucket."""
        bounds = sorted(self.buckets)
        total = max(self.buckets.values(), default=0.0)
        if total <= 0:
            return None
        wanted, lower, below = share * total, 0.0, 0.0
        for bound in bounds:
            # Hosts may differ in their bounds, and counters in their moment: cumulative means never falling.
            count = max(self.buckets[bound], below)
            if count >= wanted and count > below:
                if math.isinf(bound):
                    return lower
                return lower + (bound - lower) * (wanted - below) / (count - below)
            if not math.isinf(bound):
                lower = bound
            below = count
        return lower

    def to_json(self) -> dict[str, Any]:
        """Rates a second, latencies in milliseconds (None of too few requests to say)."""
        seconds = self.seconds or 1.0
        return {
            "rate": round(self.requests / seconds, 2),
            "errors": round(self.errors / seconds, 2),
            "client_errors": round(self.client_errors / seconds, 2),
            "error_share": round(self.errors / self.requests, 4) if self.requests else 0.0,
            **{
                f"p{int(share * 100)}_ms": None
                if self.requests < least or (ms := self.quantile_ms(share)) is None
                else round(ms, 2)
                for share, least in QUANTILES.items()
            },
        }


class Counter(NamedTuple):
    """What the name of a counter says."""

    of: tuple[str, str]
    """Service and route."""
    status: str
    """First digit of the answers that are counted; empty for queries and latencies."""
    bound: float | None
    """Milliseconds; None where no latency is counted."""


@lru_cache(maxsize=1 << 14)
def read_name(name: str) -> Counter | None:
    """Of one that figures are made of. The same few names come from every host each second."""
    kind, *labels = name.split("|")
    if kind == "queries" and len(labels) == 1:
        return Counter(of=(labels[0], ""), status="", bound=None)
    if kind == "requests" and len(labels) == 3:
        return Counter(of=(labels[0], labels[1]), status=labels[2][:1], bound=None)
    if kind == "latency" and len(labels) == 3 and (bound := _bound(labels[2])) is not None:
        return Counter(of=(labels[0], labels[1]), status="", bound=bound)
    return None


def difference(old: float, new: float) -> float:
    """How much a counter grew; what went back began again at 0."""
    return new - old if new >= old else new


def derive_figures(
    old: Mapping[str, float], new: Mapping[str, float], seconds: float
) -> dict[tuple[str, str], Figures]:
    """Figures by service and route."""
    found: dict[tuple[str, str], Figures] = {}
    for name, value in new.items():
        counter = read_name(name)
        if counter is None:
            continue
        figures = found.get(counter.of)
        if figures is None:
            figures = found[counter.of] = Figures(seconds=seconds)
        grown = difference(old.get(name, 0.0), value)
        if counter.bound is not None:
            figures.buckets[counter.bound] += grown
            continue
        figures.requests += grown
        if counter.status == "5":
            figures.errors += grown
        elif counter.status == "4":
            figures.client_errors += grown
    return found


def total(figures: Iterable[Figures]) -> Figures:
    """All of them together."""
    whole = Figures()
    for part in figures:
        whole.add(part)
    return whole


def sum_counters(counters: Mapping[str, float], prefix: str) -> float:
    """Sum of the counters that begin so."""
    return sum(value for name, value in counters.items() if name.startswith(prefix))


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if math.isnan(bound) or bound < 0 else bound
