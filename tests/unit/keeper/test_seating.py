"""What a keeper says of its server, from memory: also when its loop waits for an answer of etcd's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bastide.keeper.actions import Decision
from bastide.keeper.clock import now_s
from bastide.keeper.facts import Progress
from bastide.keeper.lease import Known
from bastide.keeper.seating import Board, SeatView
from bastide.keeper.settings import Settings
from tests.unit.keeper.test_standing import LOOK, SEAT, SERVER

SETTINGS = Settings(
    host="db1", mode="replication", tls=None, peers=(), replication_port=3307, database="shop", user="shop",
    exporter=None, max_replica_lag_s=10.0, state=Path("/x"), stock_data=Path("/x"), server_socket="/x",
    status_socket="/x", start_request=Path("/x"), grant=Path("/x"), secrets=Path("/x"),
)  # fmt: skip


def seen_now() -> SeatView:
    """A primary that is well, as just seen."""
    now = now_s()
    look = replace(LOOK, host="db1", now_s=now, seen_s=now, lease=True, server=replace(SERVER, read_only=False))
    known = Known(
        register="known", seat=SEAT, settled=True, changed_s=now, asked_s=now, epoch_s=now - 100,
            deadline_s=now + 3,
    )  # fmt: skip
    decision = Decision(state="running", message="primary")
    return SeatView(look=look, decision=decision, progress=Progress(opened_s=now), known=known)


def board() -> Board:
    return Board(SETTINGS, lambda _: None, lambda _, __: False)


def said(board: Board) -> tuple[object, object, int]:
    _, status = board.answer("/status")
    return status["state"], status["read_only"], board.answer("/primary")[0]


def test_a_server_that_ended_is_said_at_once() -> None:
    kept = board()
    kept.put(seen_now())
    assert said(kept) == ("running", False, 200)
    kept.server_ended()
    assert said(kept) == ("starting", None, 503)


def test_a_look_of_before_that_comes_late_says_so_too_and_the_next_look_is_believed() -> None:
    kept, late = board(), seen_now()
    kept.server_ended()
    kept.put(late)
    assert said(kept) == ("starting", None, 503)
    kept.put(seen_now())
    assert said(kept) == ("running", False, 200)


def test_a_look_that_is_gone_through_again_after_a_proposal_is_no_newer_for_it() -> None:
    kept, seen = board(), seen_now()
    kept.server_ended()
    kept.put(replace(seen, look=replace(seen.look, now_s=now_s())))
    assert said(kept) == ("starting", None, 503)


def test_what_the_keeper_was_at_is_still_said() -> None:
    kept = board()
    kept.put(replace(seen_now(), decision=Decision(state="seeding", message="seeding the data directory")))
    kept.server_ended()
    assert said(kept) == ("seeding", None, 503)
