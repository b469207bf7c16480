"""Who writes: what one keeper does about the primary's seat. Pure; explored exhaustively by a model test. Holding it here;
taking it in `challenge.py`, following whoever holds it in `follow.py`, the standby in `standby.py`.

In: `Progress` of earlier looks and one `Look`. Out: the next `Progress` and a `Decision`.

The rules, and why no acknowledged write is lost and never two servers take writes:

1. A server takes writes only while its keeper holds the seat (phase `open`) and the lease runs: FENCE_S from when the
   last successful renewal was *sent*. Afterwards a process of its own kills it. A challenger waits longer than that
   (SILENCE_S from the last change that it *saw*), so the old primary is dead or paused when another opens. Where the
   spec says so, its promise not to take over is as good as a renewal (`promise.py`).
2. Every change of the seat is a compare-and-swap. Of two challengers, or a challenger and a holder, one wins.
3. `standby` names a replica that acknowledges every commit. It is named after commits wait for it and it has received
   all that came before; it is removed here *before* commits stop waiting for it (and removed for certain: while
   an unanswered proposal may still arrive, commits go on waiting).
4. Only the owner and the named standby, in the named session, may take the seat. The standby first stops receiving
   (from then on a paused old primary gets no acknowledgement: revocation; already after FENCE_S without a change that
   voters know of), applies all that it received, then takes the ownership, and only then writes. In a planned
   switchover nothing is left to revoke: the owner closed itself and saw everything applied before it left (`closed`),
   so its heir opens in one step.
5. Until the new owner is written down, the old one is the owner: it is not restarted as a replica (which would cut
   off what only the standby may have), so that it can take the seat back if the standby fails half-way.
6. The old owner comes back as a replica: killed if it still runs, restarted so that it drops what was never
   acknowledged. If it then still has transactions that the primary lacks, it is copied anew, never the owner itself.
7. An operator may give up an owner that is lost for ever (`abandon`), and with it what only that one has. Should it come
   back, nothing of it is dropped or copied over until the operator says so (`follow.py`).
"""

from __future__ import annotations

from dataclasses import replace

from bastide.keeper.actions import (
    Action,
    Decision,
    ForgetReplication,
    Initialise,
    Kill,
    OpenForWrites,
    Propose,
    ResumeReplication,
    SemiSync,
    Start,
    State,
    StopReceiving,
    WriteRecord,
    propose,
)
from bastide.keeper.challenge import hold_s, leave_off, may_receive, take, why_not
from bastide.keeper.facts import Look, Progress, Record, Server
from bastide.keeper.follow import RETRY_S, follow
from bastide.keeper.gtid import covers
from bastide.keeper.patience import FLAPPING_S, FORGET_S, FROZEN_S, STARTING_S, STUCK_S
from bastide.keeper.room import leaves
from bastide.keeper.seat import Seat
from bastide.keeper.standby import keep_standby

Step = tuple[Progress, Decision]


def decide(progress: Progress, look: Look) -> Step:
    """The next step of one keeper."""
    seat, server = look.seat, look.server
    if look.job is not None:
        return progress, Decision(state=look.job, message=f"{look.job} the data directory")
    if look.data == "foreign":
        return progress, Decision(
            state="refused",
            message="the data directory holds files that no keeper put there; they are left untouched. Move them away, "
            "and a copy of the primary is made",
        )
    # A restarted keeper has not heard of etcd yet; the fencer still holds the deadline of its predecessor's lease.
    inherited = look.register == "silent" and look.lease
    holds = inherited or (seat is not None and seat.holder == look.host and seat.phase == "open" and look.lease)
    if server is not None and not server.read_only and not holds:
        return _kill(progress, "it takes writes, and this host does not hold the seat")
    if look.register == "silent":
        return _without_register(progress, look)
    if seat is None:
        return _first(progress, look)
    if look.record is not None and look.record.cluster not in ("", seat.cluster):
        return progress, Decision(
            state="refused",
            message="the data directory belongs to another database than the one that etcd speaks of: is this the "
            "right host, and the right project? Nothing is touched",
        )
    if seat.holder == look.host:
        return _hold(progress, look, seat)
    decision = take(look, seat)
    if decision is not None:
        return progress, decision
    decision = leave_off(look, seat)
    if decision is not None:
        return replace(progress, left_off_s=look.now_s), decision
    progress, followed = follow(replace(progress, opened_s=None), look, seat)
    return progress, replace(followed, message=why_not(look, seat) or followed.message)


def _kill(progress: Progress, why: str) -> Step:
    return replace(progress, opened_s=None), Decision(state="starting", message=why, actions=(Kill(why=why),))


def _without_register(progress: Progress, look: Look) -> Step:
    """Never heard of etcd since the start. A replica goes on; nobody becomes anything."""
    replication = look.server.replication if look.server else None
    streaming = replication is not None and replication.streaming
    return progress, Decision(
        state="running" if streaming else "waiting-for-register",
        message="etcd does not answer: most voters must run and reach each other",
    )


def _first(progress: Progress, look: Look) -> Step:
    """Nobody ever took the seat: a new database, one that was kept by hand until now, or a register that was wiped."""
    peer, record = look.peer, look.record
    waiting = "etcd knows nothing of this database yet"
    if look.data == "empty":
        if peer.answered and peer.role is None and look.granted:
            return progress, propose(
                Seat(
                    cluster=look.fresh_name,
                    epoch=1,
                    phase="promoting",
                    holder=look.host,
                    owner=look.host,
                    standby=None,
                ),
                "making a new database",
            )
        asks: State = "waiting-for-grant" if not look.granted and not peer.answered else "waiting-for-primary"
        return progress, Decision(state=asks, message=f"no data here; {waiting}")
    if record is None:
        return progress, Decision(state="starting", message="reading the record")
    if record.role == "replica":
        replication = look.server.replication if look.server else None
        streaming = replication is not None and replication.streaming
        start: tuple[Action, ...] = () if look.process else (Start(role="SLAVE"),)
        if replication is not None and replication.io == "No" and look.now_s - progress.retried_s >= RETRY_S:
            # Its primary may not have been told yet that there are votes now.
            progress, start = replace(progress, retried_s=look.now_s), (ResumeReplication(),)
        state: State = "running" if streaming else "waiting-for-primary"
        return progress, Decision(state=state, message=f"replica; {waiting}", actions=start)
    if not peer.answered:
        return progress, Decision(
            state="waiting-for-primary",
            message=f"{waiting}, and {peer.host} does not answer: it may be a primary, too. Start its keeper",
        )
    if peer.role == "primary" and peer.epoch >= record.epoch:
        return progress, Decision(
            state="conflict",
            message=f"{waiting}, and {peer.host} is a primary, too: `bastide db reinit` the one that is wrong",
        )
    seat = Seat(
        cluster=record.cluster or look.fresh_name,
        epoch=max(record.epoch, peer.epoch) + 1,
        phase="promoting",
        holder=look.host,
        owner=look.host,
        standby=None,
    )
    return progress, propose(seat, "taking the seat for the first time")


def _hold(progress: Progress, look: Look, seat: Seat) -> Step:
    if seat.phase == "promoting":
        return _promote_owner(progress, look, seat) if seat.owner == look.host else _promote(progress, look, seat)
    if not look.process or look.data != "ours":
        return replace(progress, opened_s=None), _leave(seat, "the server died: leaving the seat")
    if look.frozen_s >= FROZEN_S or look.stuck_s >= (STUCK_S if progress.opened_s is not None else STARTING_S):
        return _kill(progress, "the server does not answer")
    if look.server is None or not look.lease:
        return progress, Decision(
            state="starting" if progress.opened_s is None else "running",
            message="the server does not answer" if look.server is None else "renewing the lease",
        )
    if look.server.read_only or progress.opened_s is None:
        return _open(progress, look, seat, look.server)
    if look.server.replication is not None and look.now_s - progress.opened_s >= FORGET_S:
        return progress, Decision(state="running", message="primary", actions=(ForgetReplication(),))
    if look.vouched:
        return _go_on(progress, keep_standby(progress, look, seat, look.server), look)
    cramped = leaves(progress, look, seat, max(look.hold_s, hold_s(seat, look.hold_s)))
    why = "told to fail over" if look.order == "failover" else "the disk is full" if cramped == "at once" else ""
    if why and seat.standby is not None:
        vacated = replace(seat, phase="vacant", holder="", heir=seat.standby.host)
        return replace(progress, opened_s=None), Decision(
            state="running", message=why, actions=(Kill(why=why), Propose(seat=vacated))
        )
    if seat.flaps and look.now_s - progress.opened_s >= FLAPPING_S:
        return progress, propose(replace(seat, flaps=0), "stable again", state="running")
    return keep_standby(progress, look, seat, look.server, cramped=cramped == "in order")


def _go_on(progress: Progress, step: Step, look: Look) -> Step:
    """Without the register: as ever, but for what would have to be written there. It would come to nothing, and what
    belongs to it (who hands over closes first) must not be done."""
    went_on, decision = step
    if not any(isinstance(action, Propose) for action in decision.actions):
        return went_on, replace(decision, message=f"{decision.message}; etcd does not answer")
    message = f"primary; etcd does not answer: neither {look.host} nor {look.peer.host} changes its part"
    return progress, Decision(state="running", message=message)


def _promote_owner(progress: Progress, look: Look, seat: Seat) -> Step:
    """The owner itself: it has everything, its server only has to run, with all that its log holds."""
    if look.data == "empty":
        if seat.epoch == 1 and look.granted:
            return progress, Decision(
                state="initialising", message="making a new database", actions=(Initialise(),)
            )
        return progress, _leave(seat, "there is no data here any more: leaving the seat")
    if not look.process:
        return progress, Decision(
            state="starting", message="starting the server with all its log", actions=(Start(role="MASTER"),)
        )
    if look.frozen_s >= FROZEN_S:
        return _kill(progress, "the server is stopped")
    if look.server is None:
        return progress, Decision(state="starting", message="the server recovers")
    opened = replace(seat, phase="open", owner=look.host, standby=None, heir="")
    return progress, propose(opened, "opening the seat")


def _promote(progress: Progress, look: Look, seat: Seat) -> Step:
    """The standby: revoke, apply everything, own."""
    standby, server = seat.standby, look.server
    named = standby is not None and standby.host == look.host and standby.session == look.session
    if not named or server is None or server.replication is None:
        return progress, _leave(seat, "this replica restarted and may lack writes: leaving the seat")
    replication = server.replication
    if may_receive(look):
        return progress, Decision(
            state="promoting", message="receiving nothing more from the old primary", actions=(StopReceiving(),)
        )
    if replication.sql != "Yes":
        return progress, _leave(seat, f"replication stopped ({replication.error}): leaving the seat")
    if not covers(server.gtid_slave_pos, replication.gtid_io_pos):
        return progress, Decision(state="promoting", message="applying what was received")
    opened = replace(seat, phase="open", owner=look.host, standby=None, heir="")
    return progress, propose(opened, "everything is applied: opening the seat", state="promoting")


def _open(progress: Progress, look: Look, seat: Seat, server: Server) -> Step:
    record = Record(role="primary", epoch=seat.epoch, cluster=seat.cluster)
    actions: tuple[Action, ...] = () if look.record == record else (WriteRecord(record=record),)
    if not look.settled:
        # What this keeper proposed before may still arrive, and may leave the seat to somebody else.
        return progress, Decision(state="starting", message="waiting for etcd's answer")
    wait = look.strict or seat.standby is not None
    if wait != server.semi_sync:
        actions += (SemiSync(on=wait),)
    return replace(progress, opened_s=look.now_s, grow_pos=None, attached_since_s=None), Decision(
        state="running", message="primary", actions=(*actions, OpenForWrites())
    )


def _leave(seat: Seat, why: str) -> Decision:
    return propose(replace(seat, phase="vacant", holder=""), why)
