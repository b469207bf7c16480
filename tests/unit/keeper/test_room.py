"""A primary whose disk fills up: when it leaves, how, and when it had better stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastide.keeper.actions import CloseAndWait, Decision, Kill, Propose
from bastide.keeper.facts import Look, Progress, Record
from bastide.keeper.room import AGAIN_S, FULL_BYTES, LOW_BYTES, TIMES
from bastide.keeper.takeover import decide
from tests.unit.keeper.test_standing import LOOK, PEER, SEAT, SERVER

AMPLE = TIMES * LOW_BYTES
OPEN = Progress(opened_s=0.0, followed_s=99.0, moved_s=99.0)
PRIMARY = replace(
    LOOK, host="db1", lease=True, record=Record(role="primary", epoch=3, cluster="c"), session="",
    server=replace(SERVER, read_only=False, semi_sync=True, replication=None),
    peer=replace(PEER, host="db2", role="replica", session="s1", follows_us=True, room_bytes=AMPLE),
)  # fmt: skip


def decided(room: int | None, look: Look = PRIMARY, progress: Progress = OPEN) -> Decision:
    return decide(progress, replace(look, room_bytes=room))[1]


@pytest.mark.parametrize("room", [None, LOW_BYTES])
def test_who_has_room_stays(room: int | None) -> None:
    assert not decided(room).actions


def test_who_has_little_hands_over_in_order_and_who_has_none_at_once() -> None:
    close, left = decided(LOW_BYTES - 1).actions
    assert isinstance(close, CloseAndWait) and isinstance(left, Propose)
    assert (left.seat.heir, left.seat.closed) == ("db2", True)
    kill, left = decided(FULL_BYTES - 1).actions
    assert isinstance(kill, Kill) and "disk is full" in kill.why and isinstance(left, Propose)
    assert (left.seat.phase, left.seat.heir, left.seat.closed) == ("vacant", "db2", False)


@pytest.mark.parametrize(
    "look",
    [
        replace(PRIMARY, peer=replace(PRIMARY.peer, room_bytes=AMPLE - 1)),
        replace(PRIMARY, peer=replace(PRIMARY.peer, session="s2")),
        replace(PRIMARY, peer=replace(PRIMARY.peer, answered=False)),
        replace(PRIMARY, seat=replace(SEAT, paused=True)),
        replace(PRIMARY, seat=replace(SEAT, standby=None)),
        replace(PRIMARY, hold_s=60.0, epoch_age_s=59.0),
    ],
    ids=["no better", "another replica", "unheard of", "paused", "nobody stands by", "just taken over"],
)
@pytest.mark.parametrize("room", [0, LOW_BYTES - 1])
def test_it_stays_where_nobody_is_better_off(look: Look, room: int) -> None:
    assert not any(isinstance(action, CloseAndWait | Kill) for action in decided(room, look).actions)


def test_a_handover_that_failed_is_not_tried_again_at_once() -> None:
    after = replace(decide(OPEN, replace(PRIMARY, room_bytes=LOW_BYTES - 1))[0], opened_s=0.0)
    assert not decided(LOW_BYTES - 1, progress=after).actions
    later = replace(PRIMARY, now_s=PRIMARY.now_s + AGAIN_S)
    assert isinstance(
        decided(LOW_BYTES - 1, later, replace(after, moved_s=159.0, followed_s=159.0)).actions[0], CloseAndWait
    )
