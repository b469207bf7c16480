"""Whom the fencing process is to kill when the lease runs out.

In: the fence, this host's name. Out: leave to write, given only right after the fencer was armed.
Holds: while a server may write, the fencer holds the deadline of the lease; a renewal moves it.
"""

from __future__ import annotations

import logging

from bastide.keeper.clock import now_s
from bastide.keeper.fencer import Fence
from bastide.keeper.lease import Known
from bastide.keeper.servers import Process, still_runs

log = logging.getLogger("keeper")


class Guard:
    """One host's."""

    def __init__(self, fence: Fence, host: str, process: Process | None) -> None:
        self._fence, self._host = fence, host
        armed = fence.recall()
        # A server that an earlier keeper opened goes on under the deadline that its fencer still holds.
        self.inherited_s = armed[1] if armed is not None and armed[0] == process else float("-inf")
        self.process: Process | None = process if self.inherited_s > now_s() else None

    def permit(self, process: Process | None, known: Known) -> bool:
        """Right before writes are allowed: the lease runs, and the fencer knows whom to kill when it ends."""
        if process is None or known.seat is None or known.seat.holder != self._host:
            return False
        self.process = process
        armed = self._fence.arm(process, known.deadline_s)
        if not armed:
            log.error("the fencing process does not answer: no writes without it")
        return armed and known.seat.phase == "open" and now_s() < known.deadline_s

    def extend(self, deadline_s: float) -> None:
        """The lease was renewed."""
        process = self.process
        if process is not None and not self._fence.arm(process, deadline_s):
            log.error("the fencing process does not answer; the old deadline holds")

    def serves(self) -> bool:
        """Whether the server that may write is there."""
        process = self.process
        return process is not None and still_runs(process)

    def release(self) -> None:
        """There is nobody who may write here."""
        self.process = None
        self._fence.disarm()
