"""What eyes on every database saw: when each took writes, and whether two ever did at once.

In: lines of the prober's `looks`, by host. Out: `Watch`. Holds: only what was certainly so counts: a server took writes
from the answer of the first look that saw it to the question of the last one, and nothing is claimed of gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Looks that saw the same, without a gap."""

    first_asked: float
    first_answered: float
    last_asked: float
    last_answered: float
    writable: bool | None
    looks: int
    widest_s: float
    """The longest time between the questions of two of them."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """By host."""

    seen: Mapping[str, tuple[Stretch, ...]]

    def writable(self, host: str) -> tuple[Span, ...]:
        """When it certainly took writes."""
        found: list[Span] = []
        for s in self.seen.get(host, ()):
            if s.writable and s.last_asked >= s.first_answered:
                # Stretches are written down in pieces; two that follow at once are one.
                if found and s.first_asked - found[-1][1] < 0.1:
                    found[-1] = (found[-1][0], s.last_asked)
                else:
                    found.append((s.first_answered, s.last_asked))
        return tuple(found)

    def together(self) -> tuple[tuple[str, str, Span], ...]:
        """When two of them certainly took writes at once."""
        return tuple(
            (one, other, (max(a, c), min(b, d)))
            for one, other in combinations(self.seen, 2)
            for a, b in self.writable(one)
            for c, d in self.writable(other)
            if min(b, d) > max(a, c)
        )

    @property
    def looks(self) -> int:
        """How often anybody looked."""
        return sum(s.looks for seen in self.seen.values() for s in seen)

    @property
    def typical_s(self) -> float:
        """The median, over stretches, of the widest time between two looks."""
        widest = sorted(s.widest_s for seen in self.seen.values() for s in seen if s.looks > 1)
        return widest[len(widest) // 2] if widest else 0.0


def parse_looks(lines: Iterable[Any], offset: float = 0.0) -> tuple[Stretch, ...]:
    """Stretches of a recorder; its other lines are left out."""
    return tuple(
        Stretch(
            first_asked=line[0] - offset, first_answered=line[1] - offset, last_asked=line[2] - offset,
            last_answered=line[3] - offset, writable=line[4], looks=line[5], widest_s=line[6],
        )
        for line in lines
        if isinstance(line, list) and len(line) == 7
    )  # fmt: skip
