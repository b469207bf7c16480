"""What a compilation read: every file that Python opened and every folder that it listed, and how they stood then.

In: a block of work. Out: marks by path. Holds: nobody has to declare an input, so none can be forgotten; a path that
was looked for and was not there is an input too. A mark is size and times, as in git's index: a file's change time
moves with each write and nobody can set it; what changed while the work began is not trusted.
"""

# Hundreds of paths at every apply: as texts, asking for them costs a third of what Paths cost.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bastide

Marks = Mapping[str, Any]
_TICK_S = 0.05
"""More than a tick of any file system's clock: two writes within one could leave the same mark."""
_seen: set[str] | None = None
_hooked = False


class Inputs:
    """What was read, complete when its block has ended."""

    def __init__(self) -> None:
        self.marks: dict[str, Any] = {}
        self.settled = False
        """Whether everything had its state before the work began, so that the marks are of what was read."""


@contextmanager
def watched_inputs() -> Iterator[Inputs]:
    """Watch the block, in all threads. Programs that it starts are not watched."""
    global _seen, _hooked
    inputs, began = Inputs(), time.time()
    if not _hooked:
        sys.addaudithook(_notice)
        _hooked = True
    seen: set[str] = set()
    _seen = seen
    try:
        yield inputs
    finally:
        _seen = None
        ours = (sys.prefix, sys.base_prefix, str(Path(bastide.__file__).parent))
        paths = sorted(path for path in seen if not path.startswith(tuple(f"{p}/" for p in ours)))
        inputs.marks = {path: mark_of(path) for path in paths}
        inputs.settled = all(_newest(mark) < began - _TICK_S for mark in inputs.marks.values())


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = arguments[0]
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        written = (
            any(c in mode for c in "wax+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
        )
        if written:
            return
    if isinstance(path, str | bytes | os.PathLike):
        _seen.add(os.path.abspath(os.fsdecode(path)))


def mark_of(path: str) -> Any:
    """How it stands: of a folder also each of its files; None when it is not there."""
    try:
        found = os.stat(path)
        if not os.path.isdir(path):
            return _facts(found)
        with os.scandir(path) as entries:
            return sorted([e.name, *([] if e.is_dir() else _facts(e.stat(follow_symlinks=False)))] for e in entries)
    except OSError:
        return None


def code_mark() -> Any:
    """Of this program: another version compiles otherwise."""
    home = Path(bastide.__file__).parent
    libraries = next((p for p in sys.path if p.endswith("site-packages")), "")
    newest, size = 0, 0
    for folder, folders, files in os.walk(home):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            found = os.stat(os.path.join(folder, name))
            newest, size = max(newest, found.st_mtime_ns), size + found.st_size
    return [str(home), newest, size, sys.version, os.stat(libraries).st_mtime_ns if libraries else 0]


def _facts(found: os.stat_result) -> list[int]:
    return [found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino]


def _newest(mark: Any) -> float:
    """When it last changed, in seconds; 0 of what is not there."""
    if mark is None:
        return 0.0
    rows = [row[1:] for row in mark if len(row) > 1] if mark and isinstance(mark[0], list) else [mark]
    return max((row[0] / 1e9 for row in rows if row), default=0.0)
