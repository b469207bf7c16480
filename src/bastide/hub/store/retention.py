"""What has to go: by age, then by size, the oldest chunk first.

In: the store. Out: how many bytes went. Holds: a file goes before its row, and a row without a file is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bastide.hub.store.archive import Archive
from bastide.hub.store.index import Chunk


def expired(chunks: Sequence[Chunk], *, oldest: float, most: int) -> tuple[Chunk, ...]:
    """Chunks that end before `oldest`, and of the rest the oldest until at most `most` bytes remain."""
    by_age = sorted(chunks, key=lambda chunk: chunk.t_max)
    gone = [chunk for chunk in by_age if chunk.t_max < oldest]
    kept = by_age[len(gone) :]
    size = sum(chunk.packed for chunk in kept)
    for chunk in kept:
        if size <= most:
            break
        gone.append(chunk)
        size -= chunk.packed
    return tuple(gone)


def retain(archive: Archive, *, oldest: float, most: int) -> int:
    """Remove what has expired."""
    gone = expired(archive.index.chunks(), oldest=oldest, most=most)
    for chunk in gone:
        path = archive.folder / chunk.path
        path.unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()  # the day's folder, once it is empty
    archive.index.drop_chunks(chunk.path for chunk in gone)
    archive.index.drop_notable(before=oldest)
    return sum(chunk.packed for chunk in gone)
