"""An owner that is lost for ever, and what becomes of its data should it come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastide.keeper.actions import Kill, Propose, Reclone, Start, StopReceiving, WriteRecord
from bastide.keeper.facts import Look, Progress, Record
from bastide.keeper.follow import ERRANT_S
from bastide.keeper.patience import SILENCE_S
from bastide.keeper.takeover import decide
from tests.unit.keeper.test_standing import LOOK, PEER, SEAT, SERVER, STREAM

# db2 restarted since it stood by, and db1 is silent.
LEFT = replace(
    LOOK, session="s9", seat_age_s=SILENCE_S, order="abandon", peer=replace(PEER, answered=False),
    server=replace(SERVER, replication=replace(STREAM, io="Connecting")),
)  # fmt: skip
STOPPED = replace(LEFT, server=replace(SERVER, replication=replace(STREAM, io="No")))


def test_it_applies_what_it_has_and_opens() -> None:
    assert decide(Progress(), LEFT)[1].actions == (StopReceiving(),)
    behind = replace(STOPPED, server=replace(SERVER, gtid_slave_pos="0-1-8", replication=replace(STREAM, io="No")))
    assert decide(Progress(), behind)[1].actions == ()
    (action,) = decide(Progress(), STOPPED)[1].actions
    assert isinstance(action, Propose)
    seat = action.seat
    assert (seat.phase, seat.holder, seat.owner, seat.standby, seat.epoch) == ("open", "db2", "db2", None, 4)
    assert seat.abandoned == 4


@pytest.mark.parametrize(
    "look",
    [
        replace(STOPPED, order=""),
        replace(STOPPED, peer=PEER),
        replace(STOPPED, seat_age_s=SILENCE_S - 0.1),
        replace(STOPPED, data="foreign"),
    ],
    ids=["not told to", "the owner's keeper answers", "the owner may live", "other data"],
)
def test_it_does_not_otherwise(look: Look) -> None:
    actions = decide(Progress(), look)[1].actions
    assert not any(isinstance(action, Propose) for action in actions)


OVER = replace(SEAT, epoch=4, holder="db2", owner="db2", standby=None, abandoned=4)
BACK = replace(
    LOOK, host="db1", seat=OVER, session="", record=Record(role="primary", epoch=3, cluster="c"), server=None,
    process=False, peer=replace(PEER, host="db2", source="db2.name", epoch=4, gtid_binlog_state="0-1-9,0-2-12"),
)  # fmt: skip


def test_who_was_given_up_keeps_all_that_it_has() -> None:
    (written,) = decide(Progress(), BACK)[1].actions
    assert isinstance(written, WriteRecord) and (written.record.role, written.record.epoch) == ("replica", 3)
    demoted = replace(BACK, record=written.record)
    assert decide(Progress(), demoted)[1].actions == (Start(role="MASTER"),), "not a byte of its log is dropped"
    more = replace(
        SERVER, replication=None, gtid_binlog_pos="0-1-11", gtid_binlog_state="0-1-11", gtid_slave_pos=""
    )
    running = replace(demoted, process=True, server=more)
    progress, _ = decide(Progress(), running)
    later = replace(running, now_s=running.now_s + ERRANT_S)
    _, decision = decide(progress, later)
    assert (
        decision.state == "needs-reclone" and "bastide db reinit db1" in decision.message and not decision.actions
    )
    told = decide(progress, replace(later, order="reinit"))[1]
    assert told.actions == (Reclone(donor="db2", epoch=4),)


def test_who_has_nothing_more_follows() -> None:
    record = Record(role="replica", epoch=3, cluster="c")
    same = replace(SERVER, replication=None, gtid_slave_pos="")
    actions = decide(Progress(), replace(BACK, record=record, process=True, server=same))[1].actions
    assert not any(isinstance(action, Kill | Reclone) for action in actions) and actions


def test_without_that_what_was_never_acknowledged_is_dropped_as_ever() -> None:
    usual = replace(BACK, seat=replace(OVER, abandoned=0))
    (written,) = decide(Progress(), usual)[1].actions
    assert isinstance(written, WriteRecord) and written.record.epoch == 4
    assert decide(Progress(), replace(usual, record=written.record))[1].actions == (Start(role="SLAVE"),)
