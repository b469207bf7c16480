"""Replication sessions: from one start of a replica's threads to whatever makes it forget what it had received.

In: a file that does not outlive the machine. Out: the session of the running server, or none.
Holds: a new session is on file before the threads start; a restarted server has none.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from bastide.keeper.servers import Process


class Sessions:
    """One server's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, process: Process | None) -> None:
        """Replica threads are about to start. Raises OSError without a server."""
        if process is None:
            raise OSError("no server runs")
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"name": uuid.uuid4().hex[:12], "pid": process.pid, "start": process.start}))
        fresh.rename(self._path)

    def read(self, process: Process | None) -> str:
        """The session of that process; empty: none."""
        try:
            plain = json.loads(self._path.read_text())
            known = Process(pid=plain["pid"], start=plain["start"])
            return str(plain["name"]) if process == known else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""
