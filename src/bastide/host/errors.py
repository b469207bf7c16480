"""What a host refuses or fails to do, as a value with a code that the controller can decide on."""

from __future__ import annotations

import errno
from collections.abc import Sequence


class Failure(Exception):
    """One failure of one operation."""

    def __init__(self, code: str, message: str, *, lines: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        """Stable: `check`, `probe`, `unit`, `locked`, `packages`, `integrity`, `refused`, `command`, …"""
        self.message = message
        self.lines = tuple(lines)
        """Last lines of what the failing program said."""
        self.hint = hint


_DISK = {
    errno.ENOSPC: "Free some space there (df -h, df -i), then apply again.",
    errno.EDQUOT: "Raise the quota or free some space, then apply again.",
    errno.EROFS: "Find out why it is read-only (dmesg, mount), mount it for writing, then apply again.",
    errno.EIO: "The disk has errors (dmesg, smartctl): look at it before anything else.",
}


def as_failure(error: Exception) -> Failure:
    """Any exception as a failure; what is the disk's fault says so, the rest is a bug of ours."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f": {error.filename}" if error.filename else ""
        return Failure("disk", f"{error.strerror}{where}", hint=_DISK[error.errno])
    return Failure("internal", repr(error))
