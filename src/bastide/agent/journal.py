"""Following the journal.

In: `journalctl --follow` from the cursor that the spool holds. Out: records in the spool.
Holds: what is read and not flushed is read again after a kill. Floods are bounded: beyond so many a second, log
records are counted and told as one event, and equal dropped packets are one event with a count. Entries of our own
unit are not shipped above warnings, or a monitor that is gone would feed itself.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any

from bastide.agent.events import Drop, make_event, read_drop, read_event, read_log
from bastide.agent.spool import Spool
from bastide.agent.systemd import child_environment

_FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_PID,_UID,MESSAGE_ID"
_ARGV = (
    "journalctl", "--follow", "--all", "--quiet", "--no-pager", "--output=json", f"--output-fields={_FIELDS}",
    # Without it --follow means this boot only: what was logged before a power cut would never be shipped, and in a
    # container whose /proc is its own the boot has another name, so that nothing at all would be.
    "--merge",
)  # fmt: skip
_FIRST = "--lines=500"
_MAX_LINE = 256 << 10
_RETRY_S = 5.0
_ROOM_S = 0.05
"""How often it is looked whether the spool's buffer was flushed."""
_VERIFY_S, _LATE_S = 3600.0, 10.0
"""How long an announced verification counts when nobody says that it ended; how late its last drops may be told."""
_log = logging.getLogger(__name__)


class Journal:
    """Reads in a thread; `take` is called by whoever flushes the spool."""

    def __init__(self, spool: Spool, *, max_logs: int, max_events: int, argv: tuple[str, ...] = _ARGV):
        self._spool = spool
        self._argv = argv
        self._max_logs = max_logs
        self._max_events = max_events
        self._lock = threading.Lock()
        self._cursor: str | None = None
        self._second = 0
        self._logs = 0
        self._suppressed = 0
        self._drops: Counter[Drop] = Counter()
        self._verifying_until = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self.entries = 0
        self.unreadable = 0

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._run, name="journal", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        if self._process is not None:
            self._process.terminate()

    def take(self, now_s: float) -> None:
        """Put what was gathered into the spool and flush it, with the cursor that belongs to it."""
        with self._lock:
            drops, self._drops = self._drops, Counter()
            suppressed, self._suppressed = self._suppressed, 0
            for record in summarise_drops(drops, now_s, self._max_events):
                self._spool.append(record)
            if suppressed:
                self._spool.append(
                    make_event(
                        now_s, "agent", f"{suppressed} log entries were too many", priority=4, suppressed=suppressed
                    )
                )
            self._spool.flush(now_s, self._cursor)

    def add(self, line: bytes) -> None:
        """One line of journalctl."""
        try:
            entry = json.loads(line)
            log = read_log(entry)
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            return
        with self._lock:
            self.entries += 1
            self._keep(entry, log)
            self._cursor = str(entry.get("__CURSOR", "")).replace(" ", "") or self._cursor

    def _keep(self, entry: Mapping[str, Any], log: dict[str, Any]) -> None:
        crowded = self._spool.crowded
        drop = read_drop(entry, log["message"])
        if drop is not None:
            drop = drop._replace(probe=drop.probe and log["t"] < self._verifying_until)
            if drop in self._drops or len(self._drops) < 1000:
                self._drops[drop] += 1
            return
        event = read_event(entry, log)
        if event is not None:
            self._spool.append(event)
            if event["type"] == "verify":
                lasts = _VERIFY_S if event["fields"]["state"] == "began" else _LATE_S
                self._verifying_until = event["t"] + lasts
        if log["unit"] == "bastide-agent.service" and log["priority"] > 4:
            return
        # By the entry's own clock: after a restart, what was written meanwhile comes at once, and is no flood.
        second = int(log["t"])
        if second != self._second:
            self._second, self._logs = second, 0
        self._logs += 1
        # What matters gets through a flood of what does not.
        if (self._logs > self._max_logs or crowded) and log["priority"] > 3:
            self._suppressed += 1
        else:
            self._spool.append(log)

    def _run(self) -> None:
        refused = ""
        while not self._stopped.is_set():
            cursor = self._cursor or self._spool.cursor
            if cursor == refused:
                cursor = ""  # the journal has been rotated beyond it
            entries = self.entries
            begin = (f"--after-cursor={cursor}", "--lines=all") if cursor else (_FIRST,)
            try:
                self._process = subprocess.Popen(
                    [*self._argv, *begin], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, env=child_environment(),
                )  # fmt: skip
                assert self._process.stdout is not None
                with self._process.stdout as stream:
                    self._read(stream)
                status = self._process.wait()
                refused = cursor if status and entries == self.entries else ""
                _log.warning("journalctl ended with status %d", status)
            except OSError as error:
                _log.warning("journalctl: %s", error)
            self._stopped.wait(_RETRY_S)

    def _read(self, stream: IO[bytes]) -> None:
        while line := stream.readline(_MAX_LINE):
            if not line.endswith(b"\n"):
                self.unreadable += 1
                while (rest := stream.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                continue
            # What is not read stays in the journal, so a backlog waits there for the next flush and costs nothing.
            while self._spool.crowded and not self._stopped.wait(_ROOM_S):
                pass
            if self._spool.crowded:
                return  # stopped: the next one begins with this line
            self.add(line)


def summarise_drops(drops: Counter[Drop], now_s: float, most: int) -> list[dict[str, Any]]:
    """One event for each of the most frequent, and one for all the others."""
    records = []
    for drop, count in drops.most_common(most):
        port = f" port {drop.port}" if drop.port else ""
        message = f"dropped {drop.direction}: {drop.source} → {drop.target} {drop.protocol}{port} ({count}×)"
        message += ", a probe of bastide verify" if drop.probe else ""
        records.append(
            make_event(
                now_s,
                "firewall-drop",
                message,
                direction=drop.direction,
                source=drop.source,
                target=drop.target,
                protocol=drop.protocol,
                port=drop.port,
                count=count,
                **({"verify": True} if drop.probe else {}),
            )
        )
    others = sum(drops.values()) - sum(count for _, count in drops.most_common(most))
    if others:
        records.append(make_event(now_s, "firewall-drop", f"{others} other packets were dropped", count=others))
    return records
