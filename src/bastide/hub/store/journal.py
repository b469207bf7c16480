"""What a host sent and is not packed yet: one file a host, lines appended and synced before they are acknowledged.

In: records in the order of their numbers. Out: lines on disk; on opening, whole lines only.
Holds: what a crash left of a last line is cut off before anything is appended behind it.
"""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".journal"


class Journal:
    """One host's file."""

    def __init__(self, folder: Path, host: str) -> None:
        self.host = host
        self.path = folder / f"{host}{SUFFIX}"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.size = self._cut_torn_tail()

    def append(self, lines: bytes) -> None:
        """Whole lines; on disk when this returns. Raises OSError, and then nothing of them stays."""
        try:
            written = 0
            while written < len(lines):
                written += os.pwrite(self._file, lines[written:], self.size + written)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(lines)

    def read(self) -> bytes:
        """All lines."""
        return os.pread(self._file, self.size, 0)

    def clear(self) -> None:
        """Forget the lines; they are in a chunk now."""
        os.ftruncate(self._file, 0)
        os.fsync(self._file)
        self.size = 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _cut_torn_tail(self) -> int:
        size = os.fstat(self._file).st_size
        whole = os.pread(self._file, size, 0).rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(self._file, whole)
        return whole
