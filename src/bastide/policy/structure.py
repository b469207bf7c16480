"""The algebra of what needs what: an AND/OR graph of parts, and the smallest losses that bring it down.

In: `Need`s, built of `Part`, `All`, `AnyOf` and `AtLeast`. Out: whether it works without some parts, and every minimal
cut up to an order. Holds: exact, shared parts included: a set is named if and only if its loss brings the graph down
and no smaller part of it does; the order only leaves larger sets out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Cut = frozenset[str]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is there or lost."""

    name: str


@dataclass(frozen=True, slots=True)
class All:
    """Works while all of them do; of nothing, always."""

    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Works while one of them does; of nothing, never."""

    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Works while so many of them do, such as a majority of voters."""

    count: int
    needs: tuple[Need, ...]


Need = Part | All | AnyOf | AtLeast


def works(need: Need, lost: frozenset[str]) -> bool:
    """Whether it works without those parts."""
    match need:
        case Part(name):
            return name not in lost
        case All(needs):
            return all(works(each, lost) for each in needs)
        case AnyOf(needs):
            return any(works(each, lost) for each in needs)
        case AtLeast(count, needs):
            return sum(works(each, lost) for each in needs) >= count


def minimal_cuts(need: Need, order: int) -> frozenset[Cut]:
    """Every minimal set of at most `order` parts without which it does not work."""
    match need:
        case Part(name):
            return frozenset({frozenset({name})}) if order >= 1 else frozenset()
        case All(needs):
            return _minimal(cut for each in needs for cut in minimal_cuts(each, order))
        case AnyOf(needs):
            return _all_of(needs, order)
        case AtLeast(count, needs):
            return _failures(needs, len(needs) - count + 1, order)


def _all_of(needs: Sequence[Need], order: int) -> frozenset[Cut]:
    """Cuts that bring every one of them down."""
    cuts: frozenset[Cut] = frozenset({frozenset()})
    for each in needs:
        cuts = _joined(cuts, minimal_cuts(each, order), order)
        if not cuts:  # more members than the order can reach: the usual end of a large tier
            break
    return cuts


def _failures(needs: Sequence[Need], failures: int, order: int) -> frozenset[Cut]:
    """Cuts that bring at least so many of them down: row i holds the cuts for i failures among those seen so far."""
    if failures <= 0:
        return frozenset({frozenset()})
    rows: list[frozenset[Cut]] = [frozenset({frozenset()}), *(frozenset() for _ in range(failures))]
    for each in needs:
        cuts = minimal_cuts(each, order)
        for row in range(failures, 0, -1):
            rows[row] = _minimal((*rows[row], *_joined(rows[row - 1], cuts, order)))
    return rows[failures]


def _joined(left: Iterable[Cut], right: Iterable[Cut], order: int) -> frozenset[Cut]:
    right = tuple(right)
    return _minimal(both for a in left for b in right if len(both := a | b) <= order)


def _minimal(cuts: Iterable[Cut]) -> frozenset[Cut]:
    """Those that contain no other."""
    kept: set[Cut] = set()
    by_part: dict[str, list[Cut]] = {}
    for cut in sorted(set(cuts), key=len):
        if not cut:
            return frozenset({cut})
        if any(smaller <= cut for part in cut for smaller in by_part.get(part, ())):
            continue
        kept.add(cut)
        for part in cut:
            by_part.setdefault(part, []).append(cut)
    return frozenset(kept)
