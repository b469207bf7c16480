"""The fencing process: holds the deadline of the primary, and kills the server when it passes.

In: arms on a unix socket (process, deadline). Out: SIGKILL.
Holds: nothing between the clock and the kill but this file: its memory is locked, its priority is real-time where the
machine permits, and what it was told outlives its own restart. SIGKILL, because SQL may hang and SIGTERM commits
what no standby acknowledged.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

from bastide.keeper.servers import Process, read_start
from bastide.keeper.systemd import notify

TICK_S = 0.1
log = logging.getLogger("fence")
Arm = tuple[Process, float]


def run_fence(socket_path: Path) -> int:
    """Until killed."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    _be_prompt()
    memory = socket_path.with_suffix(".armed")
    socket_path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(socket_path))
    listener.listen(4)
    notify("READY=1", "STATUS=armed by nobody yet")
    arm = recall(memory)
    peers: list[socket.socket] = []
    ending = _terminations()
    while True:
        ready = _await_any([listener, ending, *peers])
        # First of all, whoever woke us: after a pause of the machine all that follows may be about its past.
        if arm is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= arm[1]:
            _fence(arm[0])
            memory.unlink(missing_ok=True)
            arm = None
        if ending in ready:
            return 0
        for one in ready:
            if one is listener:
                peers.append(listener.accept()[0])
                continue
            try:
                told = one.recv(4096)
            except OSError:
                told = b""
            if not told:
                peers.remove(one)
                one.close()
                continue
            arm = _told(told, memory)
            with contextlib.suppress(OSError):
                one.send(b"ok")
        notify("WATCHDOG=1")


def _await_any(sockets: list[socket.socket]) -> list[socket.socket]:
    """Those that can be read, after one tick at most. By `poll`, which the kernel resumes until its first end:
    after a pause `select` would wait once more for what had been left of its tick."""
    poll = select.poll()
    by_number = {one.fileno(): one for one in sockets}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(TICK_S * 1000)]


def _terminations() -> socket.socket:
    """Readable once we are to end (SIGTERM): by a restart, or by systemd, whose watchdog finds everything late that a pause
    of the machine held up. A fence that is due comes before it."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.detach())
    signal.signal(signal.SIGTERM, lambda *_: None)
    return woken


def recall(memory: Path) -> Arm | None:
    """What an earlier fencer, or this keeper's predecessor, was told."""
    try:
        return _parse(memory.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(message: bytes, memory: Path) -> Arm | None:
    arm = _parse(message)
    if arm is None:
        memory.unlink(missing_ok=True)
        return None
    fresh = memory.with_suffix(".new")
    fresh.write_bytes(message)
    fresh.rename(memory)
    return arm


def _parse(message: bytes) -> Arm | None:
    plain = json.loads(message)
    if plain["pid"] is None:
        return None
    return Process(pid=int(plain["pid"]), start=int(plain["start"])), float(plain["deadline_s"])


def _fence(process: Process) -> None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    with os.fdopen(descriptor):
        # The number may have been given to another process since.
        if read_start(process.pid) == process.start:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            log.warning("the lease ran out: killed the database server, process %d", process.pid)


def _be_prompt() -> None:
    if ctypes.CDLL(None, use_errno=True).mlockall(3) != 0:
        log.warning("memory cannot be locked here (%s): a fence may come late", os.strerror(ctypes.get_errno()))
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError as error:
        log.warning("no real-time priority here (%s): a fence may come late", error.strerror)


class Fence:
    """The keeper's end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None

    def arm(self, process: Process, deadline_s: float) -> bool:
        """Kill that process at that time (CLOCK_BOOTTIME) unless told otherwise. False: nobody listens."""
        return self._tell({"pid": process.pid, "start": process.start, "deadline_s": deadline_s})

    def disarm(self) -> bool:
        """There is nothing to kill any more."""
        return self._tell({"pid": None})

    def recall(self) -> Arm | None:
        """What it was last told."""
        return recall(self._path.with_suffix(".armed"))

    def close(self) -> None:
        """Let go of the connection; what was told stays."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _tell(self, plain: dict[str, object]) -> bool:
        with self._lock:
            return self._send(json.dumps(plain).encode())

    def _send(self, message: bytes) -> bool:
        for _ in range(2):
            try:
                if self._connection is None:
                    self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                    self._connection.settimeout(0.3)
                    self._connection.connect(str(self._path))
                self._connection.send(message)
                if self._connection.recv(16) == b"ok":
                    return True
            except OSError:
                pass
            self.close()
        return False
