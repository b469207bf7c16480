"""A limit of this computer's kernel that all labs together meet: inotify instances, 128 a user by default.

Each machine's systemd and services take about ten; with five labs up, a unit of a sixth failed with "Too many open
files" (measured), which nobody would understand.
In: nothing. Out: a higher limit while there are labs. Holds: what it was before is on disk, and comes back with the
last lab's end.
"""

from __future__ import annotations

from pathlib import Path

from bastide.lab.state import LABS, known_labs

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_BEFORE = ".inotify-before"
_ENOUGH = 4096


def raise_limits(*, labs: Path = LABS, limit: Path = _LIMIT) -> None:
    """Allow enough for many labs. A kernel that forbids it is left alone: one lab fits."""
    now = int(limit.read_text())
    if now >= _ENOUGH:
        return
    labs.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (labs / _BEFORE).exists():
        (labs / _BEFORE).write_text(str(now))
    try:
        limit.write_text(str(_ENOUGH))
    except OSError:
        (labs / _BEFORE).unlink()


def restore_limits(*, labs: Path = LABS, limit: Path = _LIMIT) -> None:
    """Put the limit back, if no lab is left that may need it."""
    before = labs / _BEFORE
    if known_labs(labs=labs) or not before.exists():
        return
    limit.write_text(before.read_text())
    before.unlink()
