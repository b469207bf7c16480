"""The lease: who may apply to this host, and until when.

    lease     held (flock) by the process that serves the one controller at work; its text says who that is

In: a Machine, who asks. Out: a held `Lease`. Raises Failure `leased` with the holder, since when and till when.
Holds: nobody can leak it. The kernel drops it with the process, which ends when its connection does; and where a
controller falls silent without closing (a lost laptop, a cable cut), the process gives it up after `ttl_s` without a
renewal. Time is the boot clock's: a wall clock that is an hour off, or set back, changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from typing import Any

from bastide.host.errors import Failure
from bastide.host.machine import Machine
from bastide.host.state import boot_clock

TTL_S = 20.0
"""How long a holder may be silent."""
_NOTICE_S = 3.0
"""How long it may take until a busy host notices that a connection has ended."""


@dataclass
class Lease:
    """Held, until it is released or runs out."""

    handle: int
    who: str
    source: str
    since: float
    ttl_s: float
    expires: float = 0.0
    gone: bool = False
    """The holder's connection has ended; what it had begun here is being brought to its end."""

    def renew(self) -> None:
        """The holder was heard of."""
        self.expires = boot_clock() + self.ttl_s
        self._write()

    def mark_gone(self) -> None:
        """The holder will not be heard of any more."""
        self.gone = True
        self._write()

    def _write(self) -> None:
        record = {
            "who": self.who, "from": self.source, "since": self.since, "till": time.time() + self.remaining_s(),
            "expires": self.expires, "gone": self.gone,
        }  # fmt: skip
        text = json.dumps(record).encode()
        os.pwrite(
            self.handle, text.ljust(1024) + b"\n", 0
        )  # of one length: a reader never sees the end of an old one

    def remaining_s(self) -> float:
        """Until it runs out, unless it is renewed."""
        return self.expires - boot_clock()

    def release(self) -> None:
        """Let others."""
        os.close(self.handle)


def take_lease(machine: Machine, *, who: str, source: str, ttl_s: float = TTL_S, wait_s: float = 10.0) -> Lease:
    """Be the only controller at work here. Raises Failure `leased`: at once for a holder that lives, and after `wait_s`
    for one whose connection has ended, and whose last operation has not."""
    machine.home.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(machine.home / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    began = time.monotonic()
    try:
        while not _try_lock(handle):
            holder = _read(handle)
            if time.monotonic() - began > (wait_s if holder.get("gone") else _NOTICE_S):
                raise _taken(holder)
            time.sleep(0.05)
        lease = Lease(handle, who or "unknown", source, time.time(), ttl_s)
        lease.renew()
    except BaseException:
        os.close(handle)
        raise
    return lease


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(handle: int) -> dict[str, Any]:
    try:
        holder: dict[str, Any] = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return {}
    return holder


def _taken(holder: dict[str, Any]) -> Failure:
    left = max(0.0, float(holder.get("expires", 0.0)) - boot_clock())
    where = f" (from {holder['from']})" if holder.get("from") else ""
    since, till = _clock(holder.get("since", 0.0)), _clock(holder.get("till", 0.0))
    return Failure(
        "leased",
        f"{holder.get('who', 'someone')}{where} is at work here since {since}",
        hint=f"The lease lasts until {till} (for {left:.0f} s) unless it is renewed: if that computer was lost, "
        "it ends then by itself. Wait, look at `bastide plan` again, then apply.",
    )


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(at))


def connection_source() -> str:
    """Address that this connection comes from, as sshd tells its sessions; empty under sudo."""
    return (os.environ.get("SSH_CONNECTION", "").split() or [""])[0]
