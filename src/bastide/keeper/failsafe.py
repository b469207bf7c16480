"""Without the register, by the standby's word: who asks for it, and when. The rules are in `promise.py`.

In: Settings, the Lease, whether the server is there. Out: a longer lease. Holds: nothing is asked while renewals come
through, nor for a server that died: its standby, which may still reach etcd, is to take over. It goes on beside loop and
renewals, which may both wait for an answer of etcd's at that time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from bastide.keeper.clock import now_s
from bastide.keeper.lease import Lease
from bastide.keeper.patience import FENCE_S
from bastide.keeper.peers import ask_promise
from bastide.keeper.promise import goes_on_alone
from bastide.keeper.settings import Settings

LOOK_S = 0.25
OVERDUE_S = 1.0
"""So long after the last renewal (or promise) the next promise is asked for; two renewals are missing then."""
PATIENCE_S = 0.9
"""For one answer: there is time to ask twice."""
log = logging.getLogger("keeper")


class Failsafe:
    """One keeper's; does nothing unless the spec says so."""

    def __init__(self, settings: Settings, lease: Lease, serves: Callable[[], bool]) -> None:
        self._settings, self._lease, self._serves = settings, lease, serves
        self._stop = threading.Event()
        self._went_on = False

    def start(self) -> None:
        """Look from now on."""
        failover = self._settings.failover
        if failover is not None and failover.failsafe:
            threading.Thread(target=self._look_forever, name="failsafe", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def look(self) -> None:
        """Go on for FENCE_S from now, if renewals are overdue and the rules allow it."""
        known, sent_s = self._lease.known(), now_s()
        seat = known.seat
        if seat is None or seat.holder != self._settings.host or seat.phase != "open":
            return
        left_s = known.deadline_s - sent_s
        if left_s <= 0 or left_s > FENCE_S - OVERDUE_S:
            self._went_on = left_s > 0 and known.vouched
            return
        if not self._serves():
            return
        given = goes_on_alone(seat, settled=known.settled) or ask_promise(
            self._settings.peers[0], self._settings.host, seat.epoch, PATIENCE_S
        )
        if given:
            self._lease.vouch(seat.epoch, sent_s)
        if given != self._went_on:
            peer = self._settings.peers[0].host
            why = f"{peer} promises not to take over" if seat.standby else "nobody stands by"
            log.warning("etcd does not answer; %s", f"going on: {why}" if given else f"{peer} promises nothing")
        self._went_on = given

    def _look_forever(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()
