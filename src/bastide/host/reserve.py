"""A little disk space kept back, so that a host can go back even when its disk is full.

In: a Machine. Out: nothing; `keep_reserve` raises OSError when there is no room, which is the moment to say so: before
anything changes. Holds: what is kept is really allocated, not a hole.
"""

from __future__ import annotations

import contextlib
import os

from bastide.host.machine import Machine

BYTES = 512 << 10
"""Records, stamps, journals and symlinks of one rollback take a tenth of this."""


def keep_reserve(machine: Machine) -> None:
    """Have it. Raises OSError."""
    path = machine.home / "reserve"
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == BYTES:
            return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, BYTES)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(handle)


def use_reserve(machine: Machine) -> None:
    """Give it up: what comes now must not fail for want of space."""
    with contextlib.suppress(OSError):
        (machine.home / "reserve").unlink()
