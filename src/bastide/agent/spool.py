"""Records on disk until every monitor has them.

In: records without a number. Out: the same with `seq`, in batches of gzip, to each monitor from where it stopped.
Holds: a number is never given twice, also after a power cut or a lost state directory (numbers begin at the time in
milliseconds), so gaps mean nothing. The cursor of the journal is written with the records that it belongs to, so
that a kill neither loses nor doubles an entry. The size is bounded: the oldest segment goes first, and an event says
how many records were lost with it. One that is under way to a monitor stays meanwhile, or what arrives after all would
have been counted as lost.

A segment is a row of batches: a header line `B first last bytes cursor`, then one gzip member of JSON lines. A batch
that a kill has torn is cut off at the next start.
"""

from __future__ import annotations

import contextlib
import json
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bastide.agent.ledger import read_record, write_record

SEGMENT_BYTES = 2 << 20
BATCH_BYTES = 512 << 10
_MAX_BUFFERED, _RESERVED = 5000, 1000
Record = Mapping[str, Any]


class Segment:
    """One file."""

    def __init__(self, path: Path, first: int, last: int, size: int):
        self.path = path
        self.first = first
        self.last = last
        self.bytes = size


class Spool:
    """Appended to by any thread, flushed by one, read by one for each monitor."""

    def __init__(self, folder: Path, *, limit_bytes: int, monitors: Iterable[str], now_s: float):
        self._folder = folder
        self._limit = limit_bytes
        self._lock = threading.Condition()
        self._buffer: list[dict[str, Any]] = []
        self.dropped = 0
        """Records that no monitor will get, since this program began."""
        self._unsaid = 0
        """Of these: what came faster than it could be written, and no event has said yet."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state = folder / "spool.json"
        record = read_record(self._state)
        self._last = int(record.get("seq", 0))
        self.cursor: str = record.get("cursor", "")
        self._segments = [s for path in sorted(folder.glob("*.spool")) if (s := self._open(path)) is not None]
        known = record.get("acks", {})
        # A monitor that is new gets what is still here; one that left holds nothing back.
        self._acks = {name: int(known.get(name, 0)) for name in monitors}
        self._next = max(self._last + 1, int(now_s * 1000))
        self._places: dict[str, tuple[Path, int]] = {}
        self._under_way: dict[str, Path] = {}
        """The segment that a monitor was given a batch of, until it is known what became of it."""

    def append(self, record: Record) -> None:
        """Number a record and keep it until the next flush."""
        with self._lock:
            if len(self._buffer) >= _MAX_BUFFERED:
                self._unsaid += 1
                self.dropped += 1
                return
            self._buffer.append({"seq": self._next, **record})
            self._next += 1

    def flush(self, now_s: float, cursor: str | None = None) -> None:
        """Write what came since the last time; `cursor` is where the journal has been read to by then."""
        with self._lock:
            if cursor is not None and cursor != self.cursor:
                self.cursor = cursor
            elif not self._buffer:
                return
            if self._buffer:
                self._write(self._buffer)
                self._buffer = []
                self._lock.notify_all()
            self._bound(now_s)
            self._remember()

    def read(self, monitor: str) -> tuple[int, bytes] | None:
        """The next batch for a monitor: its last number, and gzip of JSON lines; None when it has everything.

        Its segment stays until `ack` or `release`.
        """
        with self._lock:
            acked = self._acks[monitor]
            segments = [s for s in self._segments if s.last > acked]
        place = self._places.get(monitor)
        for segment in segments:
            with self._lock:
                if segment not in self._segments:
                    continue
                self._under_way[monitor] = segment.path
            begin = place[1] if place and place[0] == segment.path else 0
            members: list[bytes] = []
            size = last = 0
            for offset, header, member in _batches(segment.path, begin):
                if header[1] <= acked:
                    continue
                if not members:
                    self._places[monitor] = (segment.path, offset)
                members.append(member)
                size, last = size + len(member), header[1]
                if size > BATCH_BYTES:
                    break
            if members:
                return last, members[0] if len(members) == 1 else _join(members)
        self.release(monitor)
        return None

    def release(self, monitor: str) -> None:
        """What the monitor was given last did not arrive, and is not under way any more."""
        with self._lock:
            self._under_way.pop(monitor, None)

    def ack(self, monitor: str, seq: int) -> None:
        """The monitor has everything up to that number; segments that nobody needs go."""
        with self._lock:
            self._under_way.pop(monitor, None)
            self._acks[monitor] = max(self._acks[monitor], min(seq, self._next - 1))
            done = min(self._acks.values())
            for segment in [s for s in self._segments[:-1] if s.last <= done]:
                self._drop(segment)
            self._remember()

    @property
    def crowded(self) -> bool:
        """Whether what is left until the next flush should be for what matters."""
        return len(self._buffer) >= _MAX_BUFFERED - _RESERVED

    def bytes(self) -> int:
        """Its size on disk."""
        return sum(s.bytes for s in self._segments)

    def waiting(self, monitor: str) -> bool:
        """Whether there is something that this monitor has not."""
        with self._lock:
            return self._waiting(monitor)

    def wait(self, monitor: str, timeout_s: float) -> bool:
        """Until there is, or for as long; False, and at once, when there was before."""
        with self._lock:
            if self._waiting(monitor):
                return False
            self._lock.wait_for(lambda: self._waiting(monitor), timeout_s)
            return True

    def _waiting(self, monitor: str) -> bool:
        return bool(self._segments) and self._segments[-1].last > self._acks[monitor]

    def _write(self, records: list[dict[str, Any]]) -> None:
        lines = "\n".join(json.dumps(r, separators=(",", ":"), ensure_ascii=False) for r in records) + "\n"
        member = _pack([lines.encode("utf-8", "replace")])
        first, last = records[0]["seq"], records[-1]["seq"]
        if not self._segments or self._segments[-1].bytes > min(SEGMENT_BYTES, self._limit // 8):
            self._segments.append(Segment(self._folder / f"{first:016d}.spool", first, last, 0))
        segment = self._segments[-1]
        header = f"B {first} {last} {len(member)} {self.cursor or '-'}\n".encode()
        with segment.path.open("ab", buffering=0) as stream:
            stream.write(header + member)
        segment.last, segment.bytes = last, segment.bytes + len(header) + len(member)
        self._last = last

    def _bound(self, now_s: float) -> None:
        lost, said = 0, "no monitor took them in time"
        while self.bytes() > self._limit and (oldest := self._oldest_at_rest()):
            missing = min(self._acks.values(), default=0)
            if oldest.last > missing:
                lost += sum(last - max(first - 1, missing) for _, (first, last, _), _ in _batches(oldest.path)
                            if last > missing)  # fmt: skip
            self._drop(oldest)
        self.dropped += lost
        if self._unsaid:
            lost, said, self._unsaid = lost + self._unsaid, "there were too many at once", 0
        if lost:
            event = {
                "seq": self._next, "t": now_s, "kind": "event", "type": "spool", "priority": 4,
                "message": f"{lost} records were dropped: {said}",
                # In all: what said so before may have been dropped itself.
                "fields": {"dropped": lost, "dropped_since_start": self.dropped},
            }  # fmt: skip
            self._next += 1
            self._write([event])

    def _oldest_at_rest(self) -> Segment | None:
        """Neither under way to anybody, nor the one that is being written."""
        return next((s for s in self._segments[:-1] if s.path not in self._under_way.values()), None)

    def _drop(self, segment: Segment) -> None:
        with contextlib.suppress(FileNotFoundError):
            segment.path.unlink()
        self._segments.remove(segment)

    def _remember(self) -> None:
        write_record(self._state, {"seq": self._last, "cursor": self.cursor, "acks": self._acks})

    def _open(self, path: Path) -> Segment | None:
        """A segment of an earlier run, without what a kill has torn."""
        end, first, last = 0, 0, 0
        for offset, header, member in _batches(path):
            first = first or header[0]
            last = header[1]
            end = offset + header[2] + len(member)
            if last > self._last:
                self._last, self.cursor = last, _cursor_of(path, offset)
        if not end:
            path.unlink()
            return None
        with path.open("r+b") as stream:
            stream.truncate(end)
        return Segment(path, first, last, end)


def _batches(path: Path, begin: int = 0) -> Iterator[tuple[int, tuple[int, int, int], bytes]]:
    """Offset, (first, last, bytes of the header), gzip member; as many as are whole."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError), path.open("rb") as stream:
        stream.seek(begin)
        while header := stream.readline(1000):
            kind, first, last, size, _ = header.decode("ascii").rstrip("\n").split(" ", 4)
            member = stream.read(int(size))
            if kind != "B" or len(member) != int(size):
                return
            yield begin, (int(first), int(last), len(header)), member
            begin += len(header) + len(member)


def _cursor_of(path: Path, offset: int) -> str:
    with path.open("rb") as stream:
        stream.seek(offset)
        cursor = stream.readline(1000).decode("ascii").rstrip("\n").split(" ", 4)[4]
    return "" if cursor == "-" else cursor


def _pack(parts: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return b"".join([packer.compress(part) for part in parts] + [packer.flush()])


def _join(members: list[bytes]) -> bytes:
    """One gzip member: not every reader goes on after the first."""
    return _pack(zlib.decompress(member, 31) for member in members)
