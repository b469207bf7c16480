"""The lease: from when a deadline counts, and what an answer that never came leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bastide.keeper import lease as module
from bastide.keeper.etcd import RegisterSilent
from bastide.keeper.lease import RENEW_S, Lease
from bastide.keeper.patience import FENCE_S, SILENCE_S
from bastide.keeper.seat import Seat, format_seat, parse_seat

SEAT = Seat(cluster="c", epoch=1, phase="open", holder="db1", owner="db1", standby=None)


class FakeRegister:
    """One key in memory; `answers`: how the next writes end."""

    def __init__(self) -> None:
        self.seat, self.rev = SEAT, 7
        self.answers: list[str] = []
        self.silent = False

    def read(self) -> tuple[Seat | None, int]:
        if self.silent:
            raise RegisterSilent("nobody")
        return self.seat, self.rev

    def write(self, seat: Seat, guard: int) -> tuple[str, int]:
        how = self.answers.pop(0) if self.answers else "written"
        if how == "lost":
            return "unknown", 0
        if guard != self.rev:
            return "refused", 0
        self.seat, self.rev = seat, self.rev + 1
        return ("unknown", 0) if how == "unheard" else ("written", self.rev)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def to(now_s: float) -> None:
        monkeypatch.setattr(module, "now_s", lambda: now_s)

    to(100.0)
    return to


def make(register: Any) -> Lease:
    lease = Lease(register, "db1", lambda _: None, lambda: None, float("-inf"))
    lease._refresh()
    return lease


def test_what_was_only_read_gives_no_time_and_settles_nothing(clock: Callable[[float], None]) -> None:
    known = make(FakeRegister()).known()
    assert known.register == "known" and not known.settled and known.deadline_s == float("-inf")


def test_a_renewal_counts_from_when_it_was_sent(clock: Callable[[float], None]) -> None:
    lease = make(FakeRegister())
    assert lease.propose(replace(SEAT, n=1), SEAT)
    assert lease.known().deadline_s == 100.0 + FENCE_S and lease.known().settled


def test_an_answer_that_was_lost_is_found_by_reading_and_counts_from_its_sending(
    clock: Callable[[float], None],
) -> None:
    register = FakeRegister()
    lease = make(register)
    register.answers, register.silent = ["unheard"], True
    assert not lease.propose(replace(SEAT, n=1), SEAT)
    assert not lease.known().settled
    clock(102.0)
    register.silent = False
    lease._refresh()
    assert lease.known().settled and lease.known().deadline_s == 100.0 + FENCE_S


def test_a_request_that_may_still_arrive_leaves_things_unsettled_until_another_was_written(
    clock: Callable[[float], None],
) -> None:
    register = FakeRegister()
    lease = make(register)
    register.answers = ["lost"]
    assert not lease.propose(replace(SEAT, phase="vacant", holder=""), SEAT)
    assert not lease.known().settled, "it was read again, and is not there: it may be on its way"
    assert lease.propose(replace(SEAT, n=2), SEAT) and lease.known().settled


def test_somebody_else_s_change_ends_the_hold(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make(register)
    register.seat, register.rev = replace(SEAT, epoch=2, holder="db2", phase="promoting"), 8
    assert not lease.propose(replace(SEAT, n=1), SEAT)
    known = lease.known()
    assert known.seat is not None and known.seat.holder == "db2" and known.deadline_s == float("-inf")


def test_what_was_decided_on_an_older_seat_is_not_written_over_a_newer_one(clock: Callable[[float], None]) -> None:
    """Its keeper hung, and the watch heard of the new primary between a look and what followed from it."""
    register = FakeRegister()
    lease = make(register)
    looked = lease.known().seat
    register.seat, register.rev = replace(SEAT, epoch=2, holder="db2", owner="db2"), 9
    lease._refresh()
    assert not lease.propose(replace(SEAT, phase="vacant", holder=""), looked)
    assert register.seat.owner == "db2" and register.rev == 9


def test_a_renewal_in_between_is_no_reason_to_refuse_the_holder(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make(register)
    looked = lease.known().seat
    lease.accounts = "digest"
    assert lease._renew()
    assert lease.propose(replace(SEAT, paused=True), looked) and register.seat.paused
    assert register.seat.n == 1 and register.seat.accounts == "digest", "what it said is kept"


def test_a_renewal_in_between_is_one_for_a_challenger(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make_standby(register)
    clock(100.0 + SILENCE_S)
    register.seat, register.rev = replace(SEAT, n=1), 8
    lease._refresh()
    assert not lease.propose(replace(SEAT, epoch=2, phase="promoting", holder="db2"), SEAT)
    assert register.seat.holder == "db1"


def make_standby(register: Any) -> Lease:
    lease = Lease(register, "db2", lambda _: None, lambda: None, float("-inf"))
    lease._refresh()
    return lease


def test_a_promise_is_as_good_as_a_renewal_that_was_sent_when_it_was_asked_for(
    clock: Callable[[float], None],
) -> None:
    told: list[float] = []
    lease = Lease(FakeRegister(), "db1", told.append, lambda: None, float("-inf"))  # type: ignore[arg-type]
    lease._refresh()
    assert lease.propose(replace(SEAT, n=1), SEAT) and not lease.known().vouched
    clock(102.5)
    lease.vouch(1, 102.0)
    known = lease.known()
    assert known.deadline_s == told[-1] == 102.0 + FENCE_S and known.vouched
    lease.vouch(1, 101.0)
    assert lease.known().deadline_s == told[-1] == 102.0 + FENCE_S, "an older one takes nothing away"
    clock(103.0)
    assert lease.propose(replace(SEAT, n=2), SEAT) and not lease.known().vouched, "etcd answers again"


@pytest.mark.parametrize(("epoch", "at"), [(2, 102.0), (1, 100.0 + FENCE_S)], ids=["another epoch", "it ran out"])
def test_no_promise_gives_back_what_is_over(clock: Callable[[float], None], epoch: int, at: float) -> None:
    lease = make(FakeRegister())
    assert lease.propose(replace(SEAT, n=1), SEAT)
    clock(at)
    lease.vouch(epoch, 102.0)
    assert lease.known().deadline_s == 100.0 + FENCE_S


@pytest.mark.parametrize("promised", [False, True])
def test_who_promised_since_it_looked_takes_nothing(clock: Callable[[float], None], promised: bool) -> None:
    register = FakeRegister()
    lease = make_standby(register)
    clock(100.0 + SILENCE_S)
    if promised:
        assert lease.promise("db1", 1)
    taken = replace(SEAT, epoch=2, phase="promoting", holder="db2")
    assert lease.propose(taken, SEAT) is not promised and (register.seat.holder == "db2") is not promised
    clock(100.0 + 2 * SILENCE_S)
    assert lease.propose(taken, SEAT) or not promised, "it has waited as long as it promised"


def test_nothing_is_promised_to_whom_the_seat_is_not(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make_standby(register)
    assert lease.promise("db1", 1)
    assert not lease.promise("db1", 2) and not lease.promise("db3", 1) and not lease.promise("db2", 1)
    for seat in (
        replace(SEAT, phase="vacant", holder=""),
        replace(SEAT, phase="promoting"),
        replace(SEAT, holder="db2"),
    ):
        register.seat, register.rev = seat, register.rev + 1
        lease._refresh()
        assert not lease.promise("db1", 1), seat
    assert not Lease(register, "db2", lambda _: None, lambda: None, 0.0).promise("db1", 1), "it knows of no seat"  # type: ignore[arg-type]


def test_the_seat_survives_its_json_and_nothing_else_passes_for_it() -> None:
    assert parse_seat(format_seat(SEAT)) == SEAT
    for text in ("{}", "[]", "x", format_seat(SEAT).replace('"open"', '"ajar"')):
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
            parse_seat(text)


def test_a_keeper_that_starts_takes_an_epoch_for_as_old_as_its_renewals(clock: Callable[[float], None]) -> None:
    """Else, after its restart, the next takeover would wait as if the last one had just been."""
    register = FakeRegister()
    register.seat = replace(SEAT, n=80)
    assert make(register).known().epoch_s == 100.0 - 80 * RENEW_S


def test_a_new_epoch_is_young_however_long_the_one_before_it_was(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    register.seat = replace(SEAT, n=80)
    lease = make_standby(register)
    clock(100.0 + SILENCE_S)
    assert lease.propose(replace(SEAT, epoch=2, phase="promoting", holder="db2"), register.seat)
    assert register.seat.n == 0 and lease.known().epoch_s == 100.0 + SILENCE_S
    register.rev += 1
    later = make(register)
    assert later.known().epoch_s == 100.0 + SILENCE_S, "so it is for others"


def test_quiet_counts_as_far_as_voters_were_asked_and_answered(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make(register)
    clock(103.0)
    register.silent = True
    lease._refresh()
    assert lease.known().asked_s - lease.known().changed_s == 0.0
    register.silent = False
    lease._refresh()
    assert lease.known().asked_s - lease.known().changed_s == 3.0
