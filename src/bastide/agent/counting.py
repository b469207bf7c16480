"""Counting the lines of a request log.

In: blocks of whole lines (`tail`), the columns of the log by name. Out: counters, cumulative, by a key that is a
family and its labels joined by tabs: `requests`, `duration` (one bucket each), `duration_ms`, `bytes`, ….
Holds: a line is counted whole or not at all; what does not fit the columns is `malformed`. A line whose writer was
killed in its midst has no end, and the next one follows it without a break: it is one malformed line and one that
counts, or the first request after every crash would be missing. Label values come from
closed sets (methods, statuses, routes, servers of the spec), and beyond `max_series` requests go to one overflow
series a status class, so that a sum over all series is always the number of lines.

Why it is fast: of each line only one key is made, its counted columns still joined, and one number that packs a
request and its size. Lines hardly differ in their keys, so what a key means is worked out once for all lines of a
second that have it (`settle`), not once a line.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""Upper bounds of latency buckets; one more bucket has no bound."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
OTHER = "OTHER"
OVERFLOW = "overflow"

Additions = Iterable[tuple[str, int]]

_TAB = b"\t"
_PLACES = 80
_ONE = 1 << _PLACES
"""A request; what it weighs stands in the places below. Room for 2^40 requests of 2^40 bytes each."""
_HEAVIEST = 1 << 40
_MAX_DIGITS = 15
_MAX_PENDING = 4096
"""Keys whose meaning is not worked out yet; more of them would take memory and save no time."""


class Layout(NamedTuple):
    """The columns of one kind of line, and what is counted."""

    columns: tuple[str, ...]
    counted: tuple[str, ...]
    """The columns of the key."""
    size: str | None
    """The column that is added up; `translate` is given its sum."""
    translate: Callable[[tuple[bytes, ...], int, int], Additions]
    """What so many lines with these values, and that sum of sizes, add to the counters.

    Raises ValueError for values that no such column can hold; then the lines are malformed.
    """
    first: bytes = b""
    """What the first column of such a line holds; empty where the log has one kind only."""


class Counting:
    """Counters of one log."""

    def __init__(self, layouts: Sequence[Layout], counters: dict[str, int] | None = None, max_series: int = 5000):
        self._counters = {"lines": 0, "malformed": 0, "overflowed": 0} | (counters or {})
        self._max_series = max_series
        self._readers = [_begin_reader(layout) for layout in layouts]

    @property
    def counters(self) -> dict[str, int]:
        """Of every line so far."""
        self._settle()
        return self._counters

    def born(self, keys: Iterable[str]) -> None:
        """Label sets that are known in advance exist before their first request."""
        for key in keys:
            self._counters.setdefault(key, 0)

    def add(self, block: bytes) -> None:
        """Count every line of it; a block ends with a newline."""
        lines = block.split(b"\n")
        lines.pop()
        self._counters["lines"] += len(lines)
        for reader in self._readers:
            if lines:
                lines = reader.take(lines)
        self._counters["malformed"] += len(lines)
        for reader in self._readers if lines else ():
            whole = [found for x in lines if (found := reader.after_a_torn_one(x)) is not None]
            self._counters["lines"] += len(whole) - len(reader.take(whole))
        if sum(len(reader.pending) for reader in self._readers) > _MAX_PENDING:
            self._settle()

    def _settle(self) -> None:
        for reader in self._readers:
            for key, packed in reader.pending.items():
                count, size = packed >> _PLACES, packed & (_ONE - 1)
                try:
                    additions = list(reader.translate(key, count, size))
                except ValueError:
                    self._counters["malformed"] += count
                    self._apply_after_torn_ones(reader, key, count, size)
                else:
                    self._apply(additions)
            reader.pending.clear()

    def _apply_after_torn_ones(self, reader: _Reader, key: bytes, count: int, size: int) -> None:
        whole = reader.without_a_torn_one(key)
        if whole is None:
            return
        try:
            additions = list(reader.translate(whole, count, size))
        except ValueError:
            return
        self._counters["lines"] += count
        self._apply(additions)

    def _apply(self, additions: list[tuple[str, int]]) -> None:
        counters = self._counters
        for key, count in additions:
            if key in counters:
                counters[key] += count
            elif len(counters) < self._max_series:
                counters[key] = count
            else:
                self._overflow(key, count)

    def _overflow(self, key: str, count: int) -> None:
        family, *labels = key.split("\t")
        instead = "\t".join([family, *([OVERFLOW] * len(labels))])
        self._counters[instead] = self._counters.get(instead, 0) + count
        self._counters["overflowed"] += count


def _begin_reader(layout: Layout) -> _Reader:
    places = [layout.columns.index(name) for name in layout.counted]
    begins, ends = places[0], places[-1] + 1
    together = places == list(range(begins, ends)) and layout.columns[ends : ends + 1] == (layout.size,)
    return _Contiguous(layout) if together and begins == 1 and not layout.first else _Scattered(layout)


class _Reader:
    """Lines of one layout that were read, and not yet translated."""

    def __init__(self, layout: Layout):
        self.pending: defaultdict[bytes, int] = defaultdict(int)
        self._layout = layout

    def take(self, lines: list[bytes]) -> list[bytes]:
        """Read those that are of this layout; the others."""
        raise NotImplementedError

    def after_a_torn_one(self, line: bytes) -> bytes | None:
        """The whole line at the end of one that begins with a torn one; its first column is what both share."""
        parts = line.split(_TAB)
        if len(parts) < len(self._layout.columns):
            return None
        parts = parts[-len(self._layout.columns) :]
        kind = self._layout.first
        if not parts[0].endswith(kind):
            return None
        parts[0] = kind or parts[0]
        return _TAB.join(parts)

    def without_a_torn_one(self, key: bytes) -> bytes | None:
        """The key of the whole line, where the columns of a torn one stand before it."""
        return None

    def translate(self, key: bytes, count: int, size: int) -> Additions:
        """What lines of one key add. Raises ValueError."""
        values = tuple(key.split(_TAB))
        if len(values) != len(self._layout.counted):
            raise ValueError("not the columns of this layout")
        return self._layout.translate(values, count, size)


class _Contiguous(_Reader):
    """The counted columns stand side by side behind the first, and the size behind them: one cut frees the key."""

    def __init__(self, layout: Layout):
        super().__init__(layout)
        assert layout.size is not None
        self._behind = len(layout.columns) - layout.columns.index(layout.size)

    def without_a_torn_one(self, key: bytes) -> bytes | None:
        values, counted = key.split(_TAB), len(self._layout.counted)
        return _TAB.join(values[-counted:]) if len(values) > counted else None

    def take(self, lines: list[bytes]) -> list[bytes]:
        left: list[bytes] = []
        pending, behind = self.pending, self._behind
        for line in lines:
            cut = line.rsplit(_TAB, behind)
            try:
                size = cut[1]
                if size.isdigit() and (weight := int(size)) < _HEAVIEST:
                    # A line with too few or too many columns has a key with too few or too many: see `translate`.
                    pending[cut[0].partition(_TAB)[2]] += weight + _ONE
                    continue
            except (IndexError, ValueError):  # one column, or more digits than Python reads
                pass
            left.append(line)
        return left


class _Scattered(_Reader):
    """Columns wherever they are."""

    def __init__(self, layout: Layout):
        super().__init__(layout)
        self._pick = itemgetter(*(layout.columns.index(name) for name in layout.counted))
        self._size = None if layout.size is None else layout.columns.index(layout.size)

    def take(self, lines: list[bytes]) -> list[bytes]:
        left: list[bytes] = []
        pending, pick, place = self.pending, self._pick, self._size
        width, first = len(self._layout.columns), self._layout.first
        for line in lines:
            fields = line.split(_TAB)
            if len(fields) == width and (not first or fields[0] == first):
                size = b"0" if place is None else fields[place]
                if size.isdigit() and len(size) <= _MAX_DIGITS and (weight := int(size)) < _HEAVIEST:
                    pending[_TAB.join(pick(fields))] += weight + _ONE
                    continue
            left.append(line)
        return left


def bucket_key(family: str, labels: str, milliseconds: int) -> str:
    """The series of the one bucket that holds the duration."""
    place = bisect_left(BOUNDS_MS, milliseconds)
    return f"{family}\t{labels}\t{BOUNDS_MS[place] if place < len(BOUNDS_MS) else 'inf'}"


def duration_keys(family: str, labels: str) -> Iterator[str]:
    """Every series of a histogram."""
    for bound in (*BOUNDS_MS, "inf"):
        yield f"{family}\t{labels}\t{bound}"
    yield f"{family}_ms\t{labels}"


def one_of(value: bytes, known: frozenset[str], instead: str) -> str:
    """The value if it is of the closed set."""
    text = value.decode("ascii", "replace")
    return text if text in known else instead


def status_of(value: bytes) -> str:
    """Three digits, or `000` where there was no answer at all. Raises ValueError."""
    if len(value) == 3 and value.isdigit():
        return value.decode()
    if value in (b"-1", b"0", b"-"):
        return "000"
    raise ValueError("not a status")


def status_class(status: str) -> str:
    """`2xx` and the like; `other` where it is none."""
    return f"{status[0]}xx" if status[0] in "12345" else "other"
