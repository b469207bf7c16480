"""Following one growing log file through rotations and restarts of ours.

In: a path, and where an earlier run stopped (`positions()` of then). Out: blocks of whole lines, each line once.
Holds: a file is known by device, inode and the hash of its first bytes, never by its name. A rotated file goes on
being read until nothing was added to it for `LINGER_S`, since workers reopen one after the other. Files that were
rotated while nobody looked are found beside the path, compressed or not. Memory is bounded by `BLOCK` bytes: a line
that is longer is skipped, and given as one empty line, so that it is counted as malformed.

`positions()` belongs to what was given so far: whoever commits both together counts every line once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bastide.agent.files import Compressed, Opened, Reader

BLOCK = 128 << 10
HEAD = 256
LINGER_S = 300.0
PATIENCE = 3
"""Polls in a row in which no known file is found beside the path, before it counts as deleted: a rotation that is
under way looks like that for a moment."""
TELLING = 64
"""First bytes that suffice to know a file by their hash alone."""
_LOST_LINE = b"\n"

Position = dict[str, Any]
Positions = Sequence[Position]


class Followed:
    """One open file, and how far it was read."""

    def __init__(self, reader: Reader, now_s: float, *, offset: int = 0, skipping: bool = False):
        self.reader = reader
        self.offset = offset
        self.skipping = skipping
        """The rest of an overlong line is still to be passed over."""
        self.grew_s = now_s
        self._head = 0
        self._digest = ""

    def position(self) -> dict[str, Any]:
        """Where it stands, as JSON."""
        return {
            "device": self.reader.device,
            "inode": self.reader.inode,
            "head": self._head,
            "digest": self._digest,
            "modified_ns": self.reader.modified_ns(),
            "offset": self.offset,
            "skipping": self.skipping,
        }

    @property
    def head(self) -> int:
        """How many first bytes the digest is of."""
        return self._head

    def learn_head(self) -> None:
        """Remember the first bytes: as many as there are, up to HEAD."""
        if self._head < HEAD and self.reader.size() >= self.offset:
            first = self.reader.pread(HEAD, 0)
            self._head, self._digest = len(first), _digest(first)

    def knows_head(self, head: int, digest: str) -> None:
        """What an earlier run saw: the first bytes may have been freed since."""
        self._head, self._digest = head, digest

    def begins_as(self, other: Reader) -> bool:
        """Whether the other file's first bytes are this one's."""
        return self.head > 0 and _digest(other.pread(self._head, 0)) == self._digest


class Tail:
    """The current file at a path and its rotated predecessors that are not read to their end."""

    def __init__(
        self,
        path: Path,
        positions: Positions = (),
        clock: Callable[[], float] = time.monotonic,
        since_ns: int | None = None,
    ):
        self.path = path
        self.truncations = 0
        self.skipped_bytes = 0
        """Bytes that were gone before they could be read (freed at the front, or lost with the power)."""
        self.lost_files = 0
        """Files of an earlier run that are nowhere to be found."""
        self._clock = clock
        self._files: list[Followed] = []  # oldest first
        self._unseen = 0
        self._pending = list(positions)
        self._since_ns = since_ns
        self._newest_ns = max((p["modified_ns"] for p in self._pending if p["offset"]), default=None)

    def positions(self) -> Positions:
        """Where each file stands, oldest first; JSON."""
        return [file.position() for file in self._files] or self._pending

    def behind_bytes(self) -> int:
        """What is written and not yet read."""
        return sum(max(0, file.reader.size() - file.offset) for file in self._files)

    def close(self) -> None:
        """Close every file."""
        for file in self._files:
            file.reader.close()

    def read(self) -> Iterator[bytes]:
        """Blocks of whole lines that are there now; oldest file first."""
        if self._pending:
            self._resume()
        self._discover()
        for file in list(self._files):
            yield from self._read(file)
        yield from self._retire()

    def _read(self, file: Followed) -> Iterator[bytes]:
        if not file.reader.final and file.reader.size() < file.offset:
            self._shrunk(file)
        while data := file.reader.pread(BLOCK, file.offset):
            if data[0] == 0:
                self._pass_zeros(file, data)
                continue
            begin = 0
            if file.skipping:
                begin = data.find(b"\n") + 1
                if not begin:
                    file.offset += len(data)
                    continue
                file.skipping = False
                file.offset += begin
            end = data.rfind(b"\n") + 1
            if end > begin:
                file.offset += end - begin
                file.grew_s = self._clock()
                file.learn_head()
                yield data[begin:end] if begin else data[:end]
            elif len(data) - begin == BLOCK:
                file.skipping = True
                file.offset += BLOCK
                yield _LOST_LINE
            elif len(data) < BLOCK:
                return  # the last line is not finished: read again when it is

    def _pass_zeros(self, file: Followed, data: bytes) -> None:
        """The edge's log gives its front back to the disk: what is a hole now cannot be read any more."""
        zeros = len(data) - len(data.lstrip(b"\0"))
        begin = max(file.reader.next_data(file.offset), file.offset + zeros)
        self.skipped_bytes += begin - file.offset
        file.offset = begin

    def _shrunk(self, file: Followed) -> None:
        size = file.reader.size()
        if size >= file.head and file.begins_as(file.reader):
            # The same lines, fewer of them: the machine lost power before they reached the disk.
            self.skipped_bytes += file.offset - size
            file.offset = size
        else:
            self.truncations += 1
            file.offset, file.skipping = 0, False
            file.knows_head(0, "")

    def _retire(self) -> Iterator[bytes]:
        """Close predecessors that are drained; an unfinished last line will never be finished.

        The newest one of which something was read stays: after a restart it tells what is newer.
        """
        now = self._clock()
        anchor = max((i for i, file in enumerate(self._files) if file.offset), default=0)
        for file in self._files[:anchor]:
            if not file.reader.final and now - file.grew_s < LINGER_S:
                continue
            torn = file.reader.size() > file.offset and not file.skipping
            file.reader.close()
            self._files.remove(file)
            if torn:
                yield _LOST_LINE

    def _resume(self) -> None:
        """Find the files of an earlier run, whatever they are called now."""
        pending, self._pending = self._pending, []
        for position in pending:
            if not position["offset"]:
                continue  # it will be discovered; its inode alone may be another file's by now
            reader = self._find(position, _is_the_same) or self._find(position, _begins_the_same)
            if reader is None:
                self.lost_files += 1
                continue
            file = Followed(reader, self._clock(), offset=position["offset"], skipping=position["skipping"])
            file.knows_head(position["head"], position["digest"])
            self._files.append(file)

    def _find(self, position: Position, fits: Callable[[Reader, Position], bool]) -> Reader | None:
        for path in self._siblings():
            reader = _open(path)
            if reader is None:
                continue
            if fits(reader, position):
                return reader
            reader.close()
        return None

    def _discover(self) -> None:
        """Follow every file that is newer than the newest known one."""
        found: list[Reader] = []
        reached = False
        for file in self._files:
            file.learn_head()  # it may have been compressed under a new name since
        for path in self._siblings():
            reader = _open(path)
            if reader is None:
                continue
            if self._is_known(reader):
                reader.close()
                reached = True
                break
            if any((r.device, r.inode) == (reader.device, reader.inode) for r in found):
                reader.close()  # renamed while we looked
            else:
                found.append(reader)
        if self._files and not reached:
            self._unseen += 1
            if self._unseen < PATIENCE:
                _close(found)
                return
        self._unseen = 0
        if not reached:
            # Nothing to go on from but time.
            old = [reader for reader in found[1:] if not self._is_newer(reader)]
            _close(old)
            found = [r for r in found if r not in old]
        self._files += [Followed(reader, self._clock()) for reader in reversed(found)]

    def _is_newer(self, reader: Reader) -> bool:
        """Whether a rotated file was written after all that we read, or, where we read nothing, since we first came."""
        newest = self._files[-1].reader.modified_ns() if self._files else self._newest_ns
        if newest is not None:
            return reader.modified_ns() > newest
        return self._since_ns is not None and reader.modified_ns() >= self._since_ns

    def _is_known(self, reader: Reader) -> bool:
        if reader.final:
            return any(f.head >= TELLING and f.begins_as(reader) for f in self._files)
        return any((f.reader.device, f.reader.inode) == (reader.device, reader.inode) for f in self._files)

    def _siblings(self) -> list[Path]:
        """The path, then what it was rotated to, newest first."""
        prefix = f"{self.path.name}."
        rotated: dict[int, str] = {}
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(self.path.parent):
                number = entry.name.removeprefix(prefix).removesuffix(".gz")
                if entry.name.startswith(prefix) and number.isdigit():
                    # While gzip works both are there, and only the plain one is whole.
                    rotated[int(number)] = min(entry.name, rotated.get(int(number), entry.name), key=len)
        return [self.path, *(self.path.with_name(name) for _, name in sorted(rotated.items()))]


def _is_the_same(reader: Reader, position: Position) -> bool:
    """By inode; its first bytes are as they were, or were freed (a hole reads as zeros)."""
    if (reader.device, reader.inode) != (position["device"], position["inode"]):
        return False
    first = reader.pread(position["head"], 0)
    return _digest(first) == position["digest"] or (
        bool(first) and not first.strip(b"\0") and reader.size() >= position["offset"]
    )


def _begins_the_same(reader: Reader, position: Position) -> bool:
    """By first bytes alone: compressed since, or on a disk that has another number now."""
    first = reader.pread(position["head"], 0)
    return len(first) >= TELLING and _digest(first) == position["digest"]


def _open(path: Path) -> Reader | None:
    return Compressed.open(path) if path.name.endswith(".gz") else Opened.open(path)


def _close(readers: list[Reader]) -> None:
    for reader in readers:
        reader.close()


def _digest(first: bytes) -> str:
    return hashlib.sha256(first).hexdigest()[:32]
