"""Holding the seat: what is known of the register, renewals, and until when this host may write.

In: a Register, this host's name, a Fence. Out: snapshots for the loop, proposals.
Holds: the deadline counts from when a renewal was *sent*; an unanswered proposal leaves things unsettled until the
register shows that it arrived, or has moved on so that it never can. A promise to the holder counts as a change that
was seen just now (`promise.py`).
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from bastide.keeper.clock import now_s
from bastide.keeper.etcd import Register, RegisterForeign, RegisterSilent
from bastide.keeper.patience import FENCE_S, SILENCE_S
from bastide.keeper.promise import may_promise, takes_in_silence
from bastide.keeper.seat import Seat, is_same

RENEW_S = 0.5
RETRY_S = 0.1
log = logging.getLogger("keeper")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of the seat."""

    register: Literal["silent", "absent", "known"]
    seat: Seat | None
    settled: bool
    changed_s: float
    asked_s: float
    """When the last question was sent that most voters answered."""
    epoch_s: float
    deadline_s: float
    """Until when this host may write, where it holds the seat."""
    vouched: bool = False
    """That is by the standby's word, or for want of one; the last renewal has no time left, or soon will not."""


class Lease:
    """One keeper's hold on the seat. `wake` is called when something changed."""

    def __init__(
        self,
        register: Register,
        host: str,
        extend: Callable[[float], None],
        wake: Callable[[], None],
        deadline_s: float,
    ) -> None:
        self._register, self._host, self._extend, self._wake = register, host, extend, wake
        self._lock = threading.RLock()
        self._seat: Seat | None = None
        self._rev = -1
        self._settled = False
        self._pending: tuple[str, int, float] | None = None
        """Writer's mark, guard and time of sending of a proposal without an answer."""
        self._changed_s = self._asked_s = self._epoch_s = now_s()
        self._deadline_s = self._renewed_s = deadline_s
        """Until when this host may write; until when by its last renewal."""
        self._deadline_lock = threading.Lock()
        self._stop = threading.Event()
        self.accounts = ""
        """Digest to be noted in the seat with the next renewal."""

    def start(self) -> None:
        """Renew and watch from now on."""
        for name, work in (("lease", self._renew_forever), ("watch", self._watch_forever)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def stop(self) -> None:
        """No more renewals; the last one gives a successor all the time there is."""
        self._stop.set()
        self._renew()

    def known(self) -> Known:
        """A snapshot; does not wait for the network."""
        return Known(
            register="silent" if self._rev < 0 else "absent" if self._seat is None else "known",
            seat=self._seat,
            settled=self._settled,
            changed_s=self._changed_s,
            asked_s=self._asked_s,
            epoch_s=self._epoch_s,
            deadline_s=self._deadline_s,
            vouched=self._deadline_s > self._renewed_s,
        )

    def vouch(self, epoch: int, sent_s: float) -> None:
        """The standby, asked at that time, promised to wait (or there is none): as good as a renewal sent then."""
        seat = self._seat
        if seat is not None and (seat.holder, seat.phase, seat.epoch) == (self._host, "open", epoch):
            self._prolong(sent_s + FENCE_S, renewed=False)

    def promise(self, asker: str, epoch: int) -> bool:
        """Promise the holder to take nothing for SILENCE_S from now on, if that can be held."""
        with self._lock:
            given = may_promise(self._seat, self._host, asker=asker, epoch=epoch)
            if given:
                self._changed_s = now_s()
            return given

    def _prolong(self, deadline_s: float, *, renewed: bool) -> None:
        with self._deadline_lock:
            if renewed:
                self._renewed_s = max(self._renewed_s, deadline_s)
            elif now_s() >= self._deadline_s:
                return  # it ran out: somebody may be taking the seat, and no promise gives it back
            if deadline_s > self._deadline_s:
                self._deadline_s = deadline_s
                self._extend(deadline_s)

    def propose(self, seat: Seat, seen: Seat | None, *, renewal: bool = False) -> bool:
        """Write it if nothing but renewals changed since the seat was seen so. False: it was refused, or nobody knows.

        What was decided on an older seat must not overwrite a newer one that came to be known meanwhile.
        """
        with self._lock:
            if self._rev < 0 or not is_same(seen, self._seat):
                return False
            guard, sent_s = self._rev, now_s()
            if takes_in_silence(self._seat, seat, self._host) and sent_s - self._changed_s < SILENCE_S:
                return False  # since the look that led to this, it promised to wait
            if self._seat is not None and not renewal:
                renewals = self._seat.n if seat.epoch == self._seat.epoch else 0
                seat = replace(seat, n=renewals, accounts=self._seat.accounts)
            marked = replace(seat, writer=uuid.uuid4().hex[:12])
            # From here until an answer it may arrive. A renewal says nothing new: it unsettles nothing.
            self._settled = self._settled and renewal
            self._pending = (marked.writer, guard, sent_s)
            outcome, rev = self._register.write(marked, guard)
            if outcome == "written":
                self._adopt(marked, rev)
                return True
            if outcome == "refused":
                self._pending = None
            self._refresh()
            return self._seat is not None and self._seat.writer == marked.writer

    def _adopt(self, seat: Seat | None, rev: int) -> None:
        """The register's present value, however it came to be known."""
        with self._lock:
            if rev < self._rev:
                return
            if rev != self._rev:
                self._changed_s = now_s()
                if seat is None or self._seat is None or seat.epoch != self._seat.epoch:
                    # As old as its renewals say: a keeper that starts has seen nothing of it yet.
                    self._epoch_s = self._changed_s - (seat.n * RENEW_S if seat is not None else 0.0)
            self._seat, self._rev = seat, rev
            if self._pending is not None:
                mark, guard, sent_s = self._pending
                if seat is not None and seat.writer == mark:
                    self._pending, self._settled = None, True
                    if seat.holder == self._host:
                        self._prolong(sent_s + FENCE_S, renewed=True)
                elif rev != guard:
                    self._pending = None  # it is guarded on what is no more

    def _refresh(self) -> None:
        sent_s = now_s()
        try:
            seat, rev = self._register.read()
        except RegisterSilent:
            return
        before = self._rev
        self._adopt(seat, rev)
        self._asked_s = sent_s
        if before != self._rev:
            self._wake()

    def _renew_forever(self) -> None:
        pause_s = 0.0  # a successor has little of its predecessor's time left
        while not self._stop.wait(pause_s):
            try:
                heard = self._renew()
            except RegisterForeign as error:
                log.error("%s", error)
                heard = True
            seat = self._seat
            held = seat is not None and seat.holder == self._host
            pause_s = RENEW_S if heard and (self._settled or not held) else RETRY_S

    def _renew(self) -> bool:
        with self._lock:
            seat, rev = self._seat, self._rev
        if seat is None or seat.holder != self._host:
            self._refresh()  # whoever asks for a promise does not wait for etcd
            return self._rev >= 0
        with self._lock:
            if (self._seat, self._rev) != (seat, rev):
                return True
            again = replace(seat, n=seat.n + 1, accounts=self.accounts or seat.accounts)
            self.propose(again, seat, renewal=True)
            return self._rev != rev

    def _watch_forever(self) -> None:
        while not self._stop.is_set():
            try:
                for seat, rev in self._register.watch():
                    before = self._seat
                    self._adopt(seat, rev)
                    if before is None or not is_same(before, seat):
                        self._wake()
            except (RegisterSilent, RegisterForeign):
                pass
            self._stop.wait(RETRY_S)
