"""The keeper's rules, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastide.keeper.actions import (
    Clone,
    CloseForWrites,
    Follow,
    Initialise,
    OpenForWrites,
    ResumeReplication,
    SemiSync,
    SetPosition,
    StartServer,
    WriteRecord,
)
from bastide.keeper.decide import DENIED, DETACHED_S, ERRANT_S, GRACE_S, PURGED, decide
from bastide.keeper.facts import Record
from tests.unit.keeper.worlds import (
    PRIMARY,
    REPLICA,
    SERVER,
    SILENT,
    START,
    STREAM,
    decided,
    peer,
    watched,
    world,
)

OPEN = replace(SERVER, read_only=False)
FOLLOWING = replace(SERVER, replication=STREAM)


class TestWithoutData:
    def test_a_directory_of_others_is_left_alone_even_with_a_grant(self) -> None:
        decision = decided(data="foreign", record=None, server=None, granted=True, peers=())
        assert (decision.state, decision.actions) == ("refused", ())

    def test_nothing_is_made_without_a_grant(self) -> None:
        assert decided(data="empty", record=None, server=None, peers=()).state == "waiting-for-grant"
        assert decided(data="empty", record=None, server=None).actions == ()

    def test_a_grant_initialises_once_the_peers_had_time_to_answer(self) -> None:
        early = decided(data="empty", record=None, server=None, granted=True, now_s=GRACE_S - 0.1)
        assert early.actions == ()
        late = decided(data="empty", record=None, server=None, granted=True, now_s=GRACE_S)
        assert late.actions == (Initialise(),)

    def test_empty_peers_that_answer_need_no_waiting(self) -> None:
        empty = peer(role=None, epoch=0, state="waiting-for-primary")
        decision = decided(data="empty", record=None, server=None, granted=True, now_s=0.1, peers=(empty,))
        assert decision.actions == (Initialise(),)

    def test_a_running_primary_is_copied_whatever_the_grant_says(self) -> None:
        for granted in (True, False):
            decision = decided(
                data="empty", record=None, server=None, granted=granted, peers=(peer(role="primary"),)
            )
            assert decision.actions == (Clone(donor="db2", epoch=1),)

    @pytest.mark.parametrize("role", ["primary", "replica"])
    def test_a_peer_with_data_forbids_to_initialise(self, role: str) -> None:
        decision = decided(
            data="empty", record=None, server=None, granted=True, peers=(peer(role=role, state="starting"),)
        )
        assert (decision.state, decision.actions) == ("waiting-for-primary", ())

    def test_two_primaries_are_no_donors(self) -> None:
        both = (peer("db2", role="primary"), peer("db3", role="primary"))
        assert decided(data="empty", record=None, server=None, granted=True, peers=both).actions == ()

    def test_work_under_way_is_left_to_end(self) -> None:
        decision = decided(data="empty", record=None, server=None, granted=True, job="seeding")
        assert (decision.state, decision.actions) == ("seeding", ())


class TestPrimary:
    def test_opens_when_every_peer_answered(self) -> None:
        assert OpenForWrites() in decided(now_s=0.1, peers=(peer(),)).actions

    def test_opens_alone_after_the_grace(self) -> None:
        assert decided(now_s=GRACE_S - 0.1).actions == ()
        assert OpenForWrites() in decided(now_s=GRACE_S).actions

    def test_a_restarted_keeper_leaves_an_open_server_open(self) -> None:
        decision = decided(now_s=0.1, server=OPEN)
        assert (decision.state, decision.actions) == ("running", (OpenForWrites(),))

    def test_opens_once(self) -> None:
        memory, _ = decide(START, world())
        assert decided(memory, server=OPEN).actions == ()

    def test_yields_to_a_higher_epoch_and_closes_first(self) -> None:
        other = peer(role="primary", epoch=2)
        assert decided(server=OPEN, peers=(other,)).actions == (CloseForWrites(),)
        assert decided(peers=(other,)).actions == (
            Follow(source="db2", demote=True),
            WriteRecord(record=Record(role="replica", epoch=2)),
        )

    def test_a_lower_epoch_is_none_of_its_business(self) -> None:
        decision = decided(record=Record(role="primary", epoch=3), peers=(peer(role="primary", epoch=2),))
        assert decision.state == "running" and OpenForWrites() in decision.actions

    def test_two_of_one_epoch_both_close(self) -> None:
        decision = decided(server=OPEN, peers=(peer(role="primary", epoch=1),))
        assert (decision.state, decision.actions) == ("conflict", (CloseForWrites(),))
        assert decided(peers=(peer(role="primary", epoch=1),)).actions == ()

    def test_two_others_of_a_higher_epoch_close_it_too(self) -> None:
        both = (peer("db2", role="primary", epoch=2), peer("db3", role="primary", epoch=2))
        assert decided(server=OPEN, peers=both).actions == (CloseForWrites(),)

    def test_surplus_transactions_forbid_to_follow(self) -> None:
        ahead = replace(SERVER, gtid_binlog_state="0-1-9")
        _, decisions = watched(60, ERRANT_S, server=ahead, peers=(peer(role="primary", epoch=2),))
        assert all(d.actions == () for d in decisions)
        assert decisions[-1].state == "needs-reclone" and "0-1-9" in decisions[-1].message

    def test_a_peer_whose_answer_was_merely_old_is_followed(self) -> None:
        ahead = replace(SERVER, gtid_binlog_state="0-1-9")
        memory, _ = watched(60, ERRANT_S - 1, server=ahead, peers=(peer(role="primary", epoch=2),))
        caught_up = peer(role="primary", epoch=2, gtid_binlog_state="0-1-9")
        assert Follow(source="db2", demote=True) in decided(memory, server=ahead, peers=(caught_up,)).actions


class TestSemiSync:
    ATTACHED = (peer(follows_us=True),)
    SYNCED = replace(OPEN, semi_sync=True, sync_clients=1)

    def test_a_replica_is_waited_for_once_it_streams_steadily(self) -> None:
        server = replace(OPEN, sync_clients=1)
        _, decisions = watched(60, 2, server=server, peers=self.ATTACHED)
        assert SemiSync(on=True) not in decisions[0].actions
        assert decisions[-1].actions == (SemiSync(on=True),)

    def test_connected_clients_without_a_peer_that_follows_are_not_trusted(self) -> None:
        _, decisions = watched(60, 10, server=replace(OPEN, sync_clients=1), peers=(SILENT,))
        assert all(SemiSync(on=True) not in d.actions for d in decisions)

    def test_goes_on_alone_when_the_replica_is_gone(self) -> None:
        gone = replace(self.SYNCED, sync_clients=0)
        _, decisions = watched(60, DETACHED_S, server=gone)
        assert all(SemiSync(on=False) not in d.actions for d in decisions[:-1])
        assert decisions[-1].actions == (SemiSync(on=False),)
        assert "ALONE" in decisions[-1].message

    def test_goes_on_alone_when_commits_wait_although_a_client_seems_attached(self) -> None:
        _, decisions = watched(60, DETACHED_S + 0.5, server=replace(self.SYNCED, waiting=3))
        assert decisions[-1].actions == (SemiSync(on=False),)

    def test_waiting_commits_that_are_acknowledged_are_no_sign_of_loss(self) -> None:
        memory = START
        for step in range(40):
            server = replace(self.SYNCED, waiting=3, acknowledged=step * 10 + 1)
            memory, decision = decide(memory, world(now_s=60 + step / 2, server=server, peers=self.ATTACHED))
            assert SemiSync(on=False) not in decision.actions

    def test_a_single_server_has_none(self) -> None:
        _, decisions = watched(60, 10, server=OPEN, peers=())
        assert all(not isinstance(a, SemiSync) for d in decisions for a in d.actions)
        assert "ALONE" not in decisions[-1].message


class TestReplica:
    def test_closes_before_anything_else(self) -> None:
        decision = decided(record=REPLICA, server=OPEN, peers=(peer(role="primary"),))
        assert decision.actions == (CloseForWrites(),)

    def test_follows_the_primary(self) -> None:
        decision = decided(record=REPLICA, peers=(peer(role="primary"),))
        assert decision.actions == (Follow(source="db2", demote=False),)

    def test_a_fresh_copy_is_told_its_position_before_the_record_forgets_it(self) -> None:
        fresh = Record(role="replica", epoch=1, seed_gtid="0-1-4")
        decision = decided(record=fresh, peers=(peer(role="primary"),))
        assert decision.actions == (
            SetPosition(gtid="0-1-4"),
            Follow(source="db2", demote=False),
            WriteRecord(record=REPLICA),
        )

    def test_runs_while_it_streams(self) -> None:
        assert decided(record=REPLICA, server=FOLLOWING, peers=(peer(role="primary"),)).state == "running"

    def test_goes_on_while_it_streams_and_only_the_keeper_there_is_silent(self) -> None:
        decision = decided(record=REPLICA, server=FOLLOWING, peers=(SILENT,))
        assert (decision.state, decision.actions) == ("running", ())

    def test_a_primary_whose_server_is_down_is_no_proof_of_surplus_transactions(self) -> None:
        down = peer(role="primary", state="starting", gtid_binlog_state=None)
        _, decisions = watched(60, 30, record=REPLICA, peers=(down,))
        assert {d.state for d in decisions} == {"waiting-for-primary"}
        assert all(d.actions == () for d in decisions)

    def test_waits_without_a_primary(self) -> None:
        assert decided(record=REPLICA).state == "waiting-for-primary"

    def test_notes_a_higher_epoch_of_the_primary_that_it_follows(self) -> None:
        decision = decided(record=REPLICA, server=FOLLOWING, peers=(peer(role="primary", epoch=4),))
        assert decision.actions == (WriteRecord(record=Record(role="replica", epoch=4)),)

    def test_turns_to_a_new_primary(self) -> None:
        others = (peer("db2", role="primary", epoch=1), peer("db3", role="primary", epoch=2))
        decision = decided(record=REPLICA, server=FOLLOWING, peers=others)
        assert decision.actions[0] == Follow(source="db3", demote=False)

    def test_ignores_a_primary_of_an_epoch_that_is_over(self) -> None:
        decision = decided(record=Record(role="replica", epoch=3), peers=(peer(role="primary", epoch=2),))
        assert (decision.state, decision.actions) == ("waiting-for-primary", ())

    def test_starts_stopped_threads_again_but_not_all_the_time(self) -> None:
        stopped = replace(SERVER, replication=replace(STREAM, sql="No", error="duplicate key"))
        _, decisions = watched(60, 9.5, record=REPLICA, server=stopped, peers=(peer(role="primary"),))
        assert [a for d in decisions for a in d.actions] == [ResumeReplication()]
        assert {d.state for d in decisions} == {"replication-broken"}

    def test_logs_in_anew_when_its_password_is_refused(self) -> None:
        refused = replace(SERVER, replication=replace(STREAM, io="Connecting", io_errno=DENIED, error="denied"))
        _, decisions = watched(60, 9.5, record=REPLICA, server=refused, peers=(peer(role="primary"),))
        assert [a for d in decisions for a in d.actions] == [Follow(source="db2", demote=False)]

    def test_a_position_that_the_primary_lacks_needs_a_copy(self) -> None:
        purged = replace(SERVER, replication=replace(STREAM, io="No", io_errno=PURGED, error="not in binlog"))
        decision = decided(record=REPLICA, server=purged, peers=(peer(role="primary"),))
        assert (decision.state, decision.actions) == ("needs-reclone", ())

    def test_errant_transactions_are_never_served(self) -> None:
        ahead = replace(SERVER, gtid_binlog_state="0-1-5,0-7-6")
        _, decisions = watched(60, ERRANT_S, record=REPLICA, server=ahead, peers=(peer(role="primary"),))
        assert decisions[-1].state == "needs-reclone"
        stopped = replace(ahead, replication=replace(STREAM, io="No", sql="No"))
        _, resumed = watched(60, ERRANT_S, record=REPLICA, server=stopped, peers=(peer(role="primary"),))
        assert resumed[-1].state == "needs-reclone", "also where it followed that primary before it was restarted"
        decisions += resumed
        assert all(d.actions == () and d.state != "running" for d in decisions)


def test_a_server_that_does_not_answer_is_started_but_not_all_the_time() -> None:
    _, decisions = watched(60, 19.5, server=None)
    assert [a for d in decisions for a in d.actions] == [StartServer()]
    assert PRIMARY.role == "primary" and {d.state for d in decisions} == {"starting"}
