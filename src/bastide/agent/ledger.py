"""One log's positions and counters, committed together.

In: a state directory. Out: the counters of the last commit, which are the only ones that anybody is shown.
Holds: positions and counters go to disk by one rename, so a kill at any moment, or a power cut, leaves a pair that
belongs together: no line is counted twice, and none is missed as long as it can still be read. What is not committed
is not shown: otherwise a counter would go back after a crash, and every reader would take that for a reset.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bastide.agent.counting import Counting
from bastide.agent.exposition import frame_counters
from bastide.agent.logs import derive_known, derive_layouts
from bastide.agent.settings import Log
from bastide.agent.tail import Tail

COMMIT_S = 0.5
"""While a backlog is worked off."""


class Ledger:
    """Counting of one log, with a memory."""

    def __init__(self, log: Log, state: Path, clock: Callable[[], float] = time.monotonic):
        self.log = log
        self._path = state / f"log-{log.service}.json"
        record = read_record(self._path)
        if record.get("log") != log.path:
            record = {}
        self._since_ns = record.get("since_ns") or _first_ns(Path(log.path))
        self._tail = Tail(Path(log.path), record.get("positions", ()), clock, self._since_ns)
        for name in ("truncations", "skipped_bytes", "lost_files"):
            setattr(self._tail, name, record.get(name, 0))
        self._counting = Counting(derive_layouts(log), record.get("counters"))
        self._counting.born(derive_known(log))
        self._clock = clock
        self._positions = record.get("positions")
        self.committed: dict[str, int] = dict(self._counting.counters)
        self._framed: tuple[dict[str, int], dict[str, int]] | None = None
        self.behind_bytes = 0
        if not record:
            # From now on everything is ours to count, however soon it is rotated.
            self._write([])

    @property
    def accidents(self) -> dict[str, int]:
        """What could not be counted, and why."""
        names = ("truncations", "skipped_bytes", "lost_files")
        return {name: getattr(self._tail, name) for name in names}

    def framed(self) -> dict[str, int]:
        """What is committed as frames carry it: worked out once for each commit, for most seconds bring none."""
        if self._framed is None or self._framed[0] is not self.committed:
            self._framed = (self.committed, frame_counters(self.log, self.committed))
        return self._framed[1]

    def blocks(self) -> Iterator[bytes]:
        """Count what is there; each block is given after it was counted, and all of it is committed at the end."""
        since = self._clock()
        for block in self._tail.read():
            self._counting.add(block)
            if self._clock() - since > COMMIT_S:
                self.commit()
                since = self._clock()
            yield block
        self.commit()

    def commit(self) -> None:
        """Make what was counted so far permanent, then visible."""
        self.behind_bytes = self._tail.behind_bytes()
        positions = list(self._tail.positions())
        if positions == self._positions and self._counting.counters == self.committed:
            return
        self._write(positions)
        self._positions = positions
        self.committed = dict(self._counting.counters)

    def _write(self, positions: list[dict[str, Any]]) -> None:
        record = {
            "log": self.log.path,
            "since_ns": self._since_ns,
            "positions": positions,
            "counters": self._counting.counters,
            **self.accidents,
        }
        write_record(self._path, record)

    def close(self) -> None:
        """Close the files; nothing is lost without it."""
        self._tail.close()


def _first_ns(path: Path) -> int:
    """When we came, or when the log that we found was last written, if that is earlier."""
    now = time.time_ns() - 1_000_000_000  # the file system's clock is coarser
    try:
        return min(now, path.stat().st_mtime_ns)
    except OSError:
        return now


def read_record(path: Path) -> dict[str, Any]:
    """A record of ours, or an empty one."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Replace a record by one rename.

    Without fsync: the file system keeps the order of a file's bytes and its renaming (ext4, xfs), and once a second
    is too often for every disk. After a power cut an older pair may be there, whose lines are then read again.
    """
    draft = path.with_suffix(".new")
    with open(draft, "wb", opener=_private) as stream:
        stream.write(json.dumps(record, separators=(",", ":")).encode())
    os.replace(draft, path)  # noqa: PTH105


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
