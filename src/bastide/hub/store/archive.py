"""The log store: records in, each (host, seq) once; chunks of zstd a day and host.

In: records of one host in the order of their numbers. Out: what is on disk when `append` returns is never lost.
Holds: a chunk is written beside, synced and renamed; then indexed; only then is the journal cleared. A crash
between two of these steps leaves lines twice at most, and opening removes the second: chunk numbers come first.
Used by one thread.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import zstandard

from bastide.hub.records import Record
from bastide.hub.store.index import Chunk, Index, is_notable
from bastide.hub.store.journal import SUFFIX, Journal
from bastide.hub.store.lines import Facts, format_line, parse_line, read_facts

SEAL_BYTES = 2 << 20
SEAL_AGE_S = 900.0
LEVEL = 3
DAY_S = 86400
INDEX = "index.sqlite"
JOURNALS = "journals"
CHUNKS = "chunks"


class Archive:
    """The store in one directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / JOURNALS).mkdir(parents=True, exist_ok=True)
        (folder / CHUNKS).mkdir(exist_ok=True)
        self.index = Index(folder / INDEX)
        self._last = self.index.last_sequences()
        self._journals: dict[str, Journal] = {}
        self._begun: dict[str, float] = {}
        self.stored = 0
        """Records since we were opened."""
        for path in sorted((folder / JOURNALS).glob(f"*{SUFFIX}")):
            self._recover(path.name.removesuffix(SUFFIX))

    def last_seq(self, host: str) -> int:
        """The highest number that is stored; -1 without any."""
        return self._last.get(host, -1)

    def append(self, host: str, records: Sequence[Record]) -> tuple[Record, ...]:
        """Store what is new of them; returns it. On disk when this returns. Raises OSError."""
        last = self.last_seq(host)
        new: list[Record] = []
        for record in records:
            if record.seq > last:
                new.append(record)
                last = record.seq
        if not new:
            return ()
        journal = self._journal(host)
        if journal.size == 0:
            self._begun[host] = time.monotonic()
        journal.append(b"".join(map(format_line, new)))
        self._last[host] = last
        self.stored += len(new)
        if notable := [r for r in new if is_notable(r)]:
            self.index.add_notable(notable)
        if journal.size >= SEAL_BYTES:
            self.seal(host)
        return tuple(new)

    def seal_old(self) -> None:
        """Pack what has waited long enough."""
        now = time.monotonic()
        for host, journal in self._journals.items():
            if journal.size and now - self._begun.get(host, 0.0) > SEAL_AGE_S:
                self.seal(host)

    def seal(self, host: str) -> None:
        """Pack a host's journal, a chunk for each day in it."""
        journal = self._journal(host)
        by_day: dict[int, list[tuple[bytes, Facts]]] = {}
        for line in journal.read().split(b"\n"):
            if line and (facts := read_facts(line)) is not None:
                by_day.setdefault(int(facts.t // DAY_S), []).append((line, facts))
        # All days at once: the highest number counts as packed from then on, and no day may lack behind it.
        self.index.add_chunks([self._write_chunk(host, day, found) for day, found in by_day.items()])
        journal.clear()

    def close(self) -> None:
        """Let go of all files; nothing is lost without it."""
        for journal in self._journals.values():
            journal.close()
        self.index.close()

    def _journal(self, host: str) -> Journal:
        journal = self._journals.get(host)
        if journal is None:
            journal = self._journals[host] = Journal(self.folder / JOURNALS, host)
        return journal

    def _recover(self, host: str) -> None:
        """After a start: what the journal holds beyond the chunks counts, the rest was packed already."""
        journal = self._journal(host)
        self._begun[host] = time.monotonic()
        sealed = self.last_seq(host)
        lines = [line for line in journal.read().split(b"\n") if line]
        read = [(line, record) for line in lines if (record := parse_line(line, host)) is not None]
        new = [(line, record) for line, record in read if record.seq > sealed]
        if len(new) < len(lines):
            kept = b"".join(line + b"\n" for line, _ in new)
            beside = journal.path.with_suffix(".new")
            write_whole(beside, kept)
            journal.close()
            beside.rename(journal.path)
            self._journals[host] = Journal(self.folder / JOURNALS, host)
        if new:
            self._last[host] = max(record.seq for _, record in new)
            self.index.add_notable([record for _, record in new if is_notable(record)])

    def _write_chunk(self, host: str, number: int, found: Sequence[tuple[bytes, Facts]]) -> Chunk:
        plain = b"".join(line + b"\n" for line, _ in found)
        day = time.strftime("%Y-%m-%d", time.gmtime(number * DAY_S))
        records = [facts for _, facts in found]
        # The name follows from the content, so that packing again after a crash writes the same file.
        path = f"{CHUNKS}/{day}/{host}-{records[0].seq}.zst"
        target = self.folder / path
        target.parent.mkdir(exist_ok=True)
        packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(plain)
        beside = target.with_suffix(".new")
        write_whole(beside, packed)
        beside.rename(target)
        _sync_folder(target.parent)
        return Chunk(
            path=path, host=host, day=day, t_min=min(r.t for r in records), t_max=max(r.t for r in records),
            seq_min=records[0].seq, seq_max=records[-1].seq, lines=len(records), size=len(plain),
            packed=len(packed), units=Counter(r.unit for r in records),
            events=sum(r.event for r in records), priorities=Counter(r.priority for r in records),
        )  # fmt: skip


def write_whole(path: Path, content: bytes) -> None:
    """Written and synced."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
