"""File locks between processes, on files that may be deleted by their holder.

Holds: at most one process has a given lock; a process that dies gives its locks back (the kernel does it).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock at `path` (made if absent, mode 0600) for the body; waits for another holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_still_named(handle, path):
                yield
                return
        finally:
            os.close(handle)


def _is_still_named(handle: int, path: Path) -> bool:
    # The last holder may have deleted the file while we waited for it: then our lock guards nothing.
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
