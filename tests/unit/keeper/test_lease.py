"""The lease: from when a deadline counts, and what an answer that never came leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bastide.keeper import lease as module
from bastide.keeper.etcd import RegisterSilent
from bastide.keeper.lease import Lease
from bastide.keeper.seat import Seat, format_seat, parse_seat
from bastide.keeper.takeover import FENCE_S

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
    assert lease.propose(replace(SEAT, paused=True), base=SEAT)
    assert lease.known().deadline_s == 100.0 + FENCE_S and lease.known().settled


def test_an_answer_that_was_lost_is_found_by_reading_and_counts_from_its_sending(
    clock: Callable[[float], None],
) -> None:
    register = FakeRegister()
    lease = make(register)
    register.answers, register.silent = ["unheard"], True
    assert not lease.propose(replace(SEAT, paused=True), base=SEAT)
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
    assert not lease.propose(replace(SEAT, phase="vacant", holder=""), base=SEAT)
    assert not lease.known().settled, "it was read again, and is not there: it may be on its way"
    assert lease.propose(replace(SEAT, paused=True), base=SEAT) and lease.known().settled


def test_somebody_else_s_change_ends_the_hold(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make(register)
    register.seat, register.rev = replace(SEAT, epoch=2, holder="db2", phase="promoting"), 8
    assert not lease.propose(replace(SEAT, paused=True), base=SEAT)
    known = lease.known()
    assert known.seat is not None and known.seat.holder == "db2" and known.deadline_s == float("-inf")


VACANT = replace(SEAT, phase="vacant", holder="")


def test_what_was_decided_on_an_older_seat_is_not_written_over_a_newer_one(clock: Callable[[float], None]) -> None:
    """A host that was cut off decides to leave the seat that it still believes in; meanwhile it hears who has it now."""
    register = FakeRegister()
    lease = make(register)
    decided_on = lease.known().seat
    taken = replace(SEAT, epoch=2, holder="db2", owner="db2")
    register.seat, register.rev = taken, 8
    lease._refresh()
    assert not lease.propose(VACANT, base=decided_on) and register.seat == taken
    assert lease.propose(replace(taken, paused=True), base=lease.known().seat), (
        "the control: on what is there, it is"
    )


def test_a_holder_s_own_renewals_are_no_change_and_are_kept(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    lease = make(register)
    decided_on = lease.known().seat
    lease.accounts = "made"
    lease._renew()
    assert lease.propose(replace(SEAT, paused=True), base=decided_on)
    assert register.seat.paused and register.seat.n == 1 and register.seat.accounts == "made"


def test_another_s_renewal_is_a_change_to_whoever_waited_for_its_silence(clock: Callable[[float], None]) -> None:
    register = FakeRegister()
    register.seat = replace(SEAT, holder="db2", owner="db2")
    lease = make(register)
    decided_on = lease.known().seat
    register.seat, register.rev = replace(register.seat, n=1), 8
    lease._refresh()
    taking = replace(SEAT, epoch=2, phase="promoting", holder="db1")
    assert not lease.propose(taking, base=decided_on) and register.seat.epoch == 1


def test_the_seat_survives_its_json_and_nothing_else_passes_for_it() -> None:
    assert parse_seat(format_seat(SEAT)) == SEAT
    for text in ("{}", "[]", "x", format_seat(SEAT).replace('"open"', '"ajar"')):
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
            parse_seat(text)
