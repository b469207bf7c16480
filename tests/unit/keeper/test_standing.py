"""A host with automatic failover that does not hold the seat, and one that is handed it: decisions one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from bastide.keeper.actions import (
    CloseAndWait,
    Decision,
    Follow,
    ForgetReplication,
    OpenForWrites,
    Propose,
    Reclone,
    ResumeReplication,
    SemiSync,
    StopReceiving,
    SyncRelay,
)
from bastide.keeper.facts import Look, Peer, Progress, Record, Replication, Server
from bastide.keeper.follow import ERRANT_S, LEFT_OFF_S, NEAR, STRAY_S
from bastide.keeper.patience import FENCE_S, FORGET_S, SILENCE_S, VACANT_S
from bastide.keeper.seat import Seat, Standby
from bastide.keeper.takeover import decide

SEAT = Seat(
    cluster="c", epoch=3, phase="open", holder="db1", owner="db1", standby=Standby(host="db2", session="s1")
)
HANDED = replace(SEAT, phase="vacant", holder="", heir="db2", closed=True)
STREAM = Replication(
    source="db1.name", io="Yes", sql="Yes", lag_s=0.0, io_errno=0, error="", gtid_io_pos="0-1-9"
)  # fmt: skip
SERVER = Server(
    read_only=True, gtid_binlog_pos="0-1-9", gtid_binlog_state="0-1-9", gtid_slave_pos="0-1-9", replication=STREAM,
    semi_sync=False, sync_clients=0, waiting=0, acknowledged=0, unacknowledged=0,
)  # fmt: skip
PEER = Peer(
    host="db1", source="db1.name", answered=True, role="primary", epoch=3, state="running",
    gtid_binlog_state="0-1-9", gtid_slave_pos="", seen_s=float("inf"),
)  # fmt: skip
LOOK = Look(
    now_s=100.0, seen_s=100.0, host="db2", register="known", seat=SEAT, settled=True, seat_age_s=0.1, quiet_s=0.0,
    epoch_age_s=1e4, lease=False, data="ours", granted=False, record=Record(role="replica", epoch=3, cluster="c"),
    process=True, frozen_s=0.0, stuck_s=0.0, clean=False, server=SERVER, session="s1", peer=PEER, job=None, order="",
    strict=False, hold_s=0.0, fresh_name="x",
)  # fmt: skip


def proposed(decision: Decision) -> Seat:
    (action,) = decision.actions
    assert isinstance(action, Propose)
    return action.seat


def test_the_heir_of_a_planned_switchover_opens_in_one_step() -> None:
    seat = proposed(decide(Progress(), replace(LOOK, seat=HANDED))[1])
    assert (seat.phase, seat.holder, seat.owner, seat.epoch) == ("open", "db2", "db2", 4)
    assert seat.standby is None and seat.heir == "" and not seat.closed


def test_what_was_not_closed_is_revoked_first() -> None:
    seat = proposed(decide(Progress(), replace(LOOK, seat=replace(HANDED, closed=False)))[1])
    assert (seat.phase, seat.holder, seat.owner) == ("promoting", "db2", "db1")


@pytest.mark.parametrize("paused", [False, True])
def test_the_owner_leaves_its_heir_the_time_to_take_the_seat_even_where_takeovers_are_paused(paused: bool) -> None:
    owner = replace(LOOK, host="db1", record=Record(role="primary", epoch=3, cluster="c"), session="")
    seat = replace(HANDED, paused=paused)
    assert not decide(Progress(), replace(owner, seat=seat))[1].actions
    back = proposed(decide(Progress(), replace(owner, seat=seat, seat_age_s=VACANT_S))[1])
    assert back.holder == "db1" and not back.closed and back.heir == "", (
        "what was handed over is handed over no more"
    )


def test_the_replicas_role_is_dropped_after_writes_are_open() -> None:
    mine = replace(SEAT, holder="db2", owner="db2", standby=None)
    opening = replace(LOOK, seat=mine, lease=True)
    progress, decision = decide(Progress(), opening)
    assert isinstance(decision.actions[-1], OpenForWrites)
    opened = replace(opening, server=replace(SERVER, read_only=False))
    assert ForgetReplication() not in decide(progress, opened)[1].actions
    assert decide(progress, replace(opened, now_s=100.0 + FORGET_S))[1].actions == (ForgetReplication(),)


def test_who_reigned_does_not_ask_for_its_own_writes_again() -> None:
    """It died before it had dropped the replica's role: what it wrote since is in its log, not in its position."""
    stopped = replace(STREAM, io="No", sql="No")
    server = replace(SERVER, replication=stopped, gtid_binlog_pos="0-2-12", gtid_binlog_state="0-1-9,0-2-12")
    peer = replace(PEER, gtid_binlog_state="0-1-13,0-2-12")
    decision = decide(Progress(), replace(LOOK, server=server, peer=peer))[1]
    assert Follow(source="db1", demote=True) in decision.actions
    resumed = decide(Progress(), replace(LOOK, server=replace(SERVER, replication=stopped)))[1]
    assert not any(isinstance(action, Follow) for action in resumed.actions), "a replica goes on where it was"


def test_a_replica_acknowledges_from_its_disk_once_it_has_nearly_caught_up() -> None:
    hasty = replace(SERVER, relay_synced=False)
    far, near = (replace(PEER, gtid_binlog_state=f"0-1-{9 + left}") for left in (NEAR + 1, NEAR))
    assert not decide(Progress(), replace(LOOK, server=hasty, peer=far))[1].actions
    assert decide(Progress(), replace(LOOK, server=hasty, peer=near))[1].actions == (SyncRelay(),)
    assert not decide(Progress(), replace(LOOK, peer=near))[1].actions, "once"


QUIET = replace(LOOK, seat_age_s=FENCE_S + 0.2, quiet_s=FENCE_S)


def test_whoever_is_about_to_take_over_stops_receiving_before() -> None:
    assert decide(Progress(), QUIET)[1].actions == (StopReceiving(),)
    stopped = replace(QUIET, server=replace(SERVER, replication=replace(STREAM, io="No")))
    waiting = decide(Progress(), stopped)[1]
    assert waiting.actions == (), "to resume would be a session that nobody named"
    assert proposed(decide(Progress(), replace(stopped, seat_age_s=SILENCE_S))[1]).holder == "db2"


STOPPED = replace(SERVER, replication=replace(STREAM, io="No"))


def test_whoever_stopped_receiving_too_early_goes_on_when_the_primary_stays() -> None:
    progress, _ = decide(Progress(), QUIET)
    renewed = replace(LOOK, server=STOPPED)
    progress, waiting = decide(progress, renewed)
    assert waiting.actions == ()
    left = proposed(decide(progress, replace(renewed, seat=replace(SEAT, phase="vacant", holder="")))[1])
    assert left.holder == "db2", "its session is still the named one"
    stays = decide(progress, replace(renewed, now_s=100.0 + LEFT_OFF_S))[1]
    assert ResumeReplication() in stays.actions


@pytest.mark.parametrize("streams", [True, False])
def test_a_primary_that_stood_still_lacks_nothing_for_all_that_it_said_before(streams: bool) -> None:
    """Its answer is of before the last write that this standby acknowledged. To copy it anew then would be the end of the
    only server that may have that write."""
    server = SERVER if streams else STOPPED
    standing = replace(LOOK, server=server, peer=replace(PEER, gtid_binlog_state="0-1-8", seen_s=99.0))
    progress, _ = decide(Progress(), standing)
    for later in (ERRANT_S, STRAY_S, 1000.0):
        progress, decision = decide(progress, replace(standing, now_s=100.0 + later))
        assert not any(isinstance(action, Reclone) for action in decision.actions)
    caught_up = replace(standing, now_s=2000.0, peer=replace(PEER, seen_s=1999.0))
    assert not any(isinstance(action, Reclone) for action in decide(progress, caught_up)[1].actions)
    lacks = replace(standing, now_s=2000.0, peer=replace(standing.peer, seen_s=1999.0))
    assert isinstance(decide(progress, lacks)[1].actions[0], Reclone), "it looked again, and lacks it"


@pytest.mark.parametrize(
    "look",
    [
        replace(QUIET, quiet_s=FENCE_S - 0.1),
        replace(QUIET, session="s2"),
        replace(QUIET, seat=replace(SEAT, paused=True)),
        replace(QUIET, seat=replace(SEAT, flaps=1), hold_s=60.0, epoch_age_s=50.0),
    ],
    ids=["voters were not asked lately", "not the named session", "paused", "too soon after the last one"],
)
def test_whoever_may_not_take_over_goes_on_receiving(look: Look) -> None:
    assert StopReceiving() not in decide(Progress(), look)[1].actions


def test_without_the_register_nothing_is_done_that_would_have_to_be_written_there() -> None:
    waiting = replace(SERVER, read_only=False, semi_sync=True, replication=None)
    primary = replace(
        LOOK, host="db1", lease=True, server=waiting, order="switchover", peer=replace(PEER, host="db2", session="s1"),
        record=Record(role="primary", epoch=3, cluster="c"), seat=replace(SEAT, standby=Standby(host="db2", session="s1")),
    )  # fmt: skip
    progress = Progress(opened_s=0.0, followed_s=99.0, moved_s=99.0)
    assert isinstance(decide(progress, primary)[1].actions[0], CloseAndWait)
    went_on, decision = decide(progress, replace(primary, vouched=True))
    assert decision.actions == () and "etcd does not answer" in decision.message
    alone = replace(
        primary, seat=replace(SEAT, standby=None), vouched=True, order="", peer=replace(PEER, answered=False)
    )
    assert decide(went_on, alone)[1].actions == (SemiSync(on=False),), (
        "commits do not wait for whom the seat forgot"
    )


@pytest.mark.parametrize("synced", [False, True])
def test_nobody_stands_by_who_acknowledges_what_is_not_on_its_disk(synced: bool) -> None:
    replica = Peer(
        host="db2", source="db2.name", answered=True, role="replica", epoch=3, state="running", follows_us=True,
        gtid_binlog_state="0-1-9", gtid_io_pos="0-1-9", session="s1", synced=synced,
    )  # fmt: skip
    waiting = replace(SERVER, read_only=False, semi_sync=True, replication=None)
    primary = replace(
        LOOK, host="db1", seat=replace(SEAT, standby=None), lease=True, server=waiting, peer=replica,
        record=Record(role="primary", epoch=3, cluster="c"),
    )  # fmt: skip
    progress = Progress(opened_s=0.0, attached_since_s=0.0, followed_s=99.0, moved_s=99.0)
    actions = decide(progress, primary)[1].actions
    assert any(isinstance(action, Propose) for action in actions) is synced


def test_a_replica_that_somebody_wrote_to_is_copied_anew() -> None:
    look = replace(LOOK, server=replace(SERVER, gtid_binlog_state="0-1-9,0-2-10"))
    progress, decision = decide(Progress(), look)
    assert not decision.actions, "an answer may be older than our own look"
    decision = decide(progress, replace(look, now_s=look.now_s + STRAY_S))[1]
    assert decision.actions == (Reclone(donor="db1", epoch=3),) and "0-2-10" in decision.message


def test_a_replica_that_is_ahead_of_its_primarys_last_answer_is_not() -> None:
    progress = Progress()
    for tick in range(60):
        state = f"0-1-{10 + tick}"
        server = replace(SERVER, gtid_binlog_pos=state, gtid_slave_pos=state, gtid_binlog_state=state)
        late = replace(PEER, gtid_binlog_state=f"0-1-{9 + tick}")
        progress, decision = decide(progress, replace(LOOK, server=server, peer=late, now_s=100.0 + tick))
        assert decision.state == "running" and not decision.actions


@pytest.mark.parametrize("data", ["ours", "empty"])
def test_an_owner_that_nobody_knows_is_named_and_nothing_is_done(data: Literal["ours", "empty"]) -> None:
    """The spec was changed, or the register is another project's."""
    seat = replace(SEAT, holder="db9", owner="db9", standby=Standby(host="db8", session="s1"))
    look = replace(LOOK, seat=seat, seat_age_s=1e4, data=data)
    _, decision = decide(Progress(), look)
    assert "db9" in decision.message and "bastide.yaml" in decision.message and not decision.actions


def test_a_standby_that_leaves_the_seat_says_why_and_what_to_do() -> None:
    gone = replace(PEER, answered=False, role=None, state="", gtid_binlog_state=None)
    look = replace(LOOK, seat=replace(SEAT, flaps=2), seat_age_s=9.0, hold_s=60.0, epoch_age_s=100.0, peer=gone)
    _, held = decide(Progress(), look)
    assert "takes over in 20 s" in held.message and "db failover" in held.message and not held.actions
    _, paused = decide(Progress(), replace(look, seat=replace(SEAT, paused=True)))
    assert "paused" in paused.message and "db failover" in paused.message
    _, taken = decide(Progress(), replace(look, epoch_age_s=121.0))
    assert proposed(taken).holder == "db2"
    _, early = decide(Progress(), replace(look, seat_age_s=SILENCE_S - 0.1))
    assert "takes over" not in early.message
    _, restarted = decide(Progress(), replace(look, session="another"))
    assert "takes over" not in restarted.message, "it may lack writes, and never takes over by itself"
