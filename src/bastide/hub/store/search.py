"""Searching the store, the newest first.

In: the store's directory and a `Query`. Out: `Found`. Raises Refused for a pattern that is none.
Holds: only files are read, so a search runs beside the writer, in another process too; it ends at its deadline
and says so. Chunks that cannot hold a match are never opened.
"""

from __future__ import annotations

import heapq
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from bastide.hub.records import Record
from bastide.hub.refused import Refused
from bastide.hub.store.archive import INDEX, JOURNALS
from bastide.hub.store.index import Chunk, Index
from bastide.hub.store.journal import SUFFIX
from bastide.hub.store.lines import escape, format_fields, message_of, parse_line

MAX_LIMIT = 5000
MAX_COUNTED = 300_000
"""Matches whose numbers are in memory at the same time (50 MB)."""
MAX_TEXT = 500
MAX_CHUNK = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What is wanted. Letters match whatever their case unless the text has a capital."""

    text: str = ""
    regex: bool = False
    since: float = 0.0
    until: float = 2.0**41
    host: str | None = None
    unit: str | None = None
    kind: str | None = None
    priority: int = 7
    """At least as bad as this."""
    limit: int = 200
    deadline_s: float = 10.0
    counting: bool = False
    """Say how many match in all, too: nothing is left unread because newer lines fill the result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was found."""

    records: tuple[Record, ...]
    """The newest first."""
    scanned_lines: int
    scanned_bytes: int
    seconds: float
    complete: bool
    """False: the deadline came first, or there are more than can be counted."""
    matched: int | None = None
    """In all, if that was asked."""


class _Newest:
    """The newest records so far, at most `limit`."""

    def __init__(self, limit: int, *, counting: bool) -> None:
        self._limit = limit
        self._counting = counting
        self._heap: list[tuple[float, str, int, Record]] = []
        self._seen: set[tuple[str, int]] = set()

    def add(self, record: Record) -> bool:
        """False: it is older than all that fit."""
        if (record.host, record.seq) in self._seen:
            return True  # a journal was packed while we read
        entry = (record.t, record.host, record.seq, record)
        if self._counting:
            if self.full:
                return False
            self._seen.add((record.host, record.seq))
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, entry)
        elif entry[:3] > self._heap[0][:3]:
            heapq.heapreplace(self._heap, entry)
        else:
            return self._counting
        self._seen.add((record.host, record.seq))
        return True

    def wants(self, newest: float) -> bool:
        """Whether something that new could still come in."""
        return (self._counting and not self.full) or len(self._heap) < self._limit or newest >= self._heap[0][0]

    @property
    def matched(self) -> int | None:
        """How many there were, where they are counted."""
        return len(self._seen) if self._counting else None

    @property
    def full(self) -> bool:
        """No more can be counted."""
        return self._counting and len(self._seen) >= MAX_COUNTED

    def records(self) -> tuple[Record, ...]:
        return tuple(entry[3] for entry in sorted(self._heap, key=lambda e: e[:3], reverse=True))


def search(folder: Path, query: Query) -> Found:
    """Read journals, then chunks from the newest to the oldest."""
    started = time.monotonic()
    matches, needle, could = _matcher(query)
    newest = _Newest(min(query.limit, MAX_LIMIT), counting=query.counting)
    lines = size = 0
    complete = True
    # Journals first: what is packed meanwhile is then found in a chunk as well, and never missed.
    for host, content, count in _sources(folder, query, newest):
        if time.monotonic() - started > query.deadline_s:
            complete = False
            break
        lines, size = lines + count, size + len(content)
        _scan(host, content, needle, could, matches, newest)
    return Found(
        records=newest.records(),
        scanned_lines=lines,
        scanned_bytes=size,
        seconds=time.monotonic() - started,
        complete=complete and not newest.full,
        matched=newest.matched,
    )


def _sources(folder: Path, query: Query, newest: _Newest) -> Iterator[tuple[str, bytes, int]]:
    for path in sorted((folder / JOURNALS).glob(f"*{SUFFIX}")):
        host = path.name.removesuffix(SUFFIX)
        if query.host in (None, host):
            content = path.read_bytes()
            yield host, content, content.count(b"\n")
    try:
        index = Index(folder / INDEX, read_only=True)
    except sqlite3.Error:
        return  # nothing was ever packed
    try:
        chunks = index.chunks(since=query.since, until=query.until, host=query.host)
    finally:
        index.close()
    unpacker = zstandard.ZstdDecompressor()
    for chunk in chunks:
        if not newest.wants(chunk.t_max):
            return  # chunks come by their newest line
        if _may_hold(chunk, query):
            try:
                content = unpacker.decompress((folder / chunk.path).read_bytes(), max_output_size=MAX_CHUNK)
            except (FileNotFoundError, zstandard.ZstdError):
                continue  # its time was up, or the disk damaged it; the rest is still worth reading
            yield chunk.host, content, chunk.lines


def _may_hold(chunk: Chunk, query: Query) -> bool:
    if query.unit is not None and query.unit not in chunk.units:
        return False
    if query.kind == "event" and not chunk.events:
        return False
    if query.kind == "log" and chunk.events == chunk.lines:
        return False
    return any(count for priority, count in chunk.priorities.items() if priority <= query.priority)


def _scan(
    host: str,
    content: bytes,
    needle: bytes | None,
    could: Callable[[bytes], bool],
    matches: Callable[[Record], bool],
    newest: _Newest,
) -> None:
    """From the last line to the first, so that a full result ends it early."""
    if needle is None:
        for line in reversed(content.split(b"\n")):
            if (
                line
                and could(line)
                and (record := parse_line(line, host))
                and matches(record)
                and not newest.add(record)
            ):
                return
        return
    hay = content.lower() if needle == needle.lower() else content
    end = len(content)
    while (at := hay.rfind(needle, 0, end)) >= 0:
        begin = content.rfind(b"\n", 0, at) + 1
        stop = content.find(b"\n", at)
        record = parse_line(content[begin : stop if stop >= 0 else len(content)], host)
        if record and matches(record) and not newest.add(record):
            return
        end = begin


def _matcher(query: Query) -> tuple[Callable[[Record], bool], bytes | None, Callable[[bytes], bool]]:
    """What decides on a record; bytes that every match has in its line, if there are such; what a line must hold."""
    if len(query.text) > MAX_TEXT:
        raise Refused(400, "text", f"a text to search for has at most {MAX_TEXT} characters")
    needle = None
    insensitive = query.text == query.text.lower()
    says: Callable[[Record], bool] = lambda record: True  # noqa: E731
    could: Callable[[bytes], bool] = lambda line: True  # noqa: E731
    if query.text and query.regex:
        try:
            pattern = re.compile(query.text, re.IGNORECASE if insensitive else 0)
        except (re.error, RecursionError, OverflowError) as error:
            raise Refused(400, "regex", f"not a regular expression: {error}") from None
        could = lambda line: pattern.search(message_of(line)) is not None  # noqa: E731
    elif query.text:
        wanted = query.text
        if insensitive:
            says = lambda record: wanted in record.message.lower() or wanted in format_fields(record).lower()  # noqa: E731
        else:
            says = lambda record: wanted in record.message or wanted in format_fields(record)  # noqa: E731
        # Only ASCII: `bytes.lower` knows no other letters.
        needle = escape(wanted).encode() if wanted.isascii() else None
    if needle is None and not query.regex and query.unit is not None and query.unit == query.unit.lower():
        needle = escape(query.unit).encode()

    def matches(record: Record) -> bool:
        return (
            query.since <= record.t <= query.until
            and record.priority <= query.priority
            and query.kind in (None, record.kind)
            and query.unit in (None, record.unit)
            and says(record)
        )

    return matches, needle, could
