"""The two kinds of log files that are read: plain ones, which may grow, and compressed ones, which do not.

In: a path. Out: bytes at an offset; a compressed file's offsets are those of what was compressed.
"""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path
from typing import Protocol

_CHUNK = 64 << 10
_GZIP = 31


class Reader(Protocol):
    """An open file."""

    device: int
    inode: int
    final: bool
    """Nothing will be added."""

    def pread(self, count: int, offset: int) -> bytes:
        """That many bytes, or what there is of them."""

    def size(self) -> int:
        """Bytes in it now."""

    def modified_ns(self) -> int:
        """When it was last written."""

    def next_data(self, offset: int) -> int:
        """The first offset from there on that is not in a hole."""

    def close(self) -> None:
        """Give the descriptor back."""


class Opened:
    """A plain file."""

    final = False

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.device, self.inode = found.st_dev, found.st_ino

    @classmethod
    def open(cls, path: Path) -> Opened | None:
        """The file, or None where there is none that we may read."""
        try:
            # A FIFO or a device under that name must not block us.
            return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError:
            return None

    def pread(self, count: int, offset: int) -> bytes:
        """That many bytes, or what there is of them."""
        return os.pread(self._descriptor, count, offset)

    def size(self) -> int:
        """Bytes in it now."""
        return os.fstat(self._descriptor).st_size

    def modified_ns(self) -> int:
        """When it was last written."""
        return os.fstat(self._descriptor).st_mtime_ns

    def next_data(self, offset: int) -> int:
        """The first offset from there on that is not in a hole."""
        try:
            return os.lseek(self._descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return max(offset, self.size())
            return offset  # a file system without holes

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class Compressed:
    """A rotated file that gzip has packed, read forwards; going back begins anew."""

    final = True

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.device, self.inode = found.st_dev, found.st_ino
        self._begin()

    def _begin(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._unpack = zlib.decompressobj(_GZIP)
        self._buffer = b""
        self._at = 0  # offset of the buffer's first byte
        self._ended = False

    @classmethod
    def open(cls, path: Path) -> Compressed | None:
        """The file, or None where it cannot be read or is not gzip's."""
        try:
            reader = cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError:
            return None
        if os.pread(reader._descriptor, 2, 0) != b"\x1f\x8b":
            reader.close()
            return None
        return reader

    def pread(self, count: int, offset: int) -> bytes:
        """That many bytes, or what there is of them."""
        if offset < self._at:
            self._begin()
        while self._at + len(self._buffer) < offset + count and self._more():
            # What lies before the offset is not needed any more.
            spare = min(max(0, offset - self._at), len(self._buffer))
            self._buffer, self._at = self._buffer[spare:], self._at + spare
        begin = offset - self._at
        return self._buffer[begin : begin + count]

    def _more(self) -> bool:
        if self._ended:
            return False
        try:
            packed = self._unpack.unconsumed_tail or os.read(self._descriptor, _CHUNK)
            self._buffer += self._unpack.decompress(packed, _CHUNK)
        except (OSError, zlib.error):
            packed = b""  # damaged: what could be read is all there is
        self._ended = not packed or self._unpack.eof
        return not self._ended

    def size(self) -> int:
        """What was seen of it so far: enough for one that does not grow."""
        return self._at + len(self._buffer)

    def modified_ns(self) -> int:
        """When it was last written."""
        return os.fstat(self._descriptor).st_mtime_ns

    def next_data(self, offset: int) -> int:
        """There are no holes."""
        return offset

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
