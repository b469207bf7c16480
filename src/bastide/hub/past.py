"""The remembered hour on disk, so that a hub that was restarted still goes back in time.

In: a moment and its packed state, one after the other. Out: those of a start that are young enough.
Holds: appended to only, and written anew before it has grown to twice what is remembered; what a kill has torn is
left out, with all behind it. Used by the store's thread alone, after it was read once.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_HEAD = struct.Struct(">dI")
_MOST_BYTES = 1 << 20
"""Of one state; a thousand hosts take 70 kB."""

Moment = tuple[float, bytes]


class Past:
    """One file."""

    def __init__(self, path: Path, *, most: int) -> None:
        self._path = path
        self._most = most
        self._count = 0

    def load(self, since: float, until: float) -> tuple[Moment, ...]:
        """What was kept of that time, the oldest first. An unreadable file is an empty one."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return ()
        found = tuple(_read(content))
        self._count = len(found)
        kept = tuple(moment for moment in found if since <= moment[0] <= until)
        if len(kept) < len(found) or sum(_HEAD.size + len(packed) for _, packed in found) < len(content):
            # Behind what is torn nothing could be read again.
            self.rewrite(kept)
        return kept

    def append(self, moment: Moment, all_of_them: Iterable[Moment]) -> None:
        """Keep one more; `all_of_them`: what is remembered, for when the file has grown too long. Raises OSError."""
        if self._count >= 2 * self._most:
            self.rewrite(all_of_them)
            return
        with self._path.open("ab") as stream:
            stream.write(_pack(moment))
        self._count += 1

    def rewrite(self, moments: Iterable[Moment]) -> None:
        """These and no others. Raises OSError."""
        parts = [_pack(moment) for moment in moments]
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(parts))
        os.replace(fresh, self._path)  # noqa: PTH105 (atomic, as everywhere)
        self._count = len(parts)


def _pack(moment: Moment) -> bytes:
    t, packed = moment
    return _HEAD.pack(t, len(packed)) + packed


def _read(content: bytes) -> Iterator[Moment]:
    place, last = 0, 0.0
    while place + _HEAD.size <= len(content):
        t, size = _HEAD.unpack_from(content, place)
        packed = content[place + _HEAD.size : place + _HEAD.size + size]
        # Times only grow: what says otherwise is no header.
        if size > _MOST_BYTES or len(packed) < size or not t > last:
            return
        yield t, packed
        place, last = place + _HEAD.size + size, t
