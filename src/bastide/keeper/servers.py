"""The server's process on this host: which it is, whether it is stopped, and its end.

In: the configuration file that its command line names. Out: `Process`; kills.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KILL_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process, told from a later one with the same number."""

    pid: int
    start: int
    """In clock ticks since boot."""


def read_start(pid: int) -> int | None:
    """When a process began; None: there is none."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def is_stopped(process: Process) -> bool:
    """Whether it is stopped by a signal."""
    fields = _stat(process.pid)
    return bool(fields) and fields[0] in ("T", "t")


def still_runs(process: Process) -> bool:
    """Whether that very process is there, and no zombie."""
    fields = _stat(process.pid)
    return bool(fields) and fields[0] not in ("Z", "X") and int(fields[19]) == process.start


def find_server(config: str) -> Process | None:
    """The running mariadbd with that configuration; zombies do not run."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argv and argv[0].endswith(b"mariadbd") and f"--defaults-file={config}".encode() in argv:
            fields = _stat(int(entry.name))
            if fields and fields[0] not in ("Z", "X"):
                return Process(pid=int(entry.name), start=int(fields[19]))
    return None


def kill_server(process: Process) -> None:
    """SIGKILL, and wait until it is gone. Raises OSError if it is not."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    with os.fdopen(descriptor):
        if read_start(process.pid) != process.start:
            return
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        gone = select.poll()
        gone.register(descriptor, select.POLLIN)
        if not gone.poll(KILL_S * 1000):
            raise OSError(f"process {process.pid} does not die: its disk may hang")


def watch_end(process: Process, ended: Callable[[], None]) -> None:
    """Call when it ends, from a thread of its own."""

    def wait() -> None:
        try:
            with os.fdopen(os.pidfd_open(process.pid)) as descriptor:
                select.select([descriptor], [], [])
        except OSError:
            pass
        time.sleep(0.005)  # it is a zombie until systemd has looked
        ended()

    threading.Thread(target=wait, name="server-end", daemon=True).start()


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat behind the name: [0] state, [19] start time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
