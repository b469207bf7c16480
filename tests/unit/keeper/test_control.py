"""Orders that change what the seat says: what they change there, and what they leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from bastide.keeper.clock import now_s
from bastide.keeper.control import Control
from bastide.keeper.lease import Known
from bastide.keeper.seat import Seat
from tests.unit.keeper.test_seating import SETTINGS, board, seen_now
from tests.unit.keeper.test_standing import SEAT

FLAPPED = replace(SEAT, holder="db1", owner="db1", flaps=2)


class Seated:
    """A lease whose seat can be changed."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat

    def known(self) -> Known:
        now = now_s()
        return Known(
            register="known", seat=self.seat, settled=True, changed_s=now, asked_s=now, epoch_s=now - 10,
            deadline_s=now + 3,
        )  # fmt: skip

    def propose(self, seat: Seat, seen: Seat) -> bool:
        assert seen == self.seat
        self.seat = seat
        return True


def ordered(verb: str, seat: Seat) -> tuple[bool, Seat]:
    lease = Seated(seat)
    control = Control(SETTINGS, cast(Any, lease), board(), lambda: None)
    return control.take(verb)[0], lease.seat


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("pause", FLAPPED, replace(FLAPPED, paused=True)),
        ("resume", replace(FLAPPED, paused=True), replace(FLAPPED, flaps=0)),
        ("unhold", FLAPPED, replace(FLAPPED, flaps=0)),
        ("unhold", replace(FLAPPED, paused=True), replace(FLAPPED, paused=True, flaps=0)),
    ],
    ids=["pause", "resume", "unhold", "unhold leaves a pause"],
)
def test_what_an_order_changes_in_the_seat(verb: str, before: Seat, after: Seat) -> None:
    assert ordered(verb, before) == (True, after)


def test_whoever_is_not_the_primary_changes_nothing() -> None:
    elsewhere = replace(FLAPPED, holder="db2", owner="db2")
    assert ordered("unhold", elsewhere) == (False, elsewhere)


@pytest.mark.parametrize(
    ("flaps", "age_s", "held"), [(0, 10.0, 0.0), (1, 10.0, 50.0), (2, 10.0, 110.0), (1, 61.0, 0.0)]
)
def test_how_long_the_next_takeover_waits_is_said(flaps: int, age_s: float, held: float) -> None:
    kept, seen = board(), seen_now()
    known = replace(seen.known, seat=replace(SEAT, flaps=flaps), epoch_s=now_s() - age_s)
    kept.put(replace(seen, look=replace(seen.look, hold_s=60.0), known=known))
    _, status = kept.answer("/status")
    assert status["seat"]["held_s"] == pytest.approx(held, abs=0.5)
