"""Rules 5 and 6: what a host does that does not hold the seat. Pure, part of `takeover.py`.

In: progress, look, seat. Out: the next progress and a decision.
Holds: the owner's data is never restarted as a replica's, and never copied over; a server that has transactions which
the primary lacks never serves.
"""

from __future__ import annotations

from dataclasses import replace

from bastide.keeper.actions import (
    Action,
    Clone,
    Decision,
    Follow,
    Kill,
    Reclone,
    ResumeReplication,
    SetPosition,
    Start,
    SyncRelay,
    WriteRecord,
)
from bastide.keeper.facts import Look, Progress, Record, Server
from bastide.keeper.gtid import behind, covers, find_errant
from bastide.keeper.seat import Seat

ERRANT_S = 2.0
"""How long surplus transactions must be seen: a peer's answer may be older than our own look."""
STRAY_S = 10.0
"""As long while it replicates: longer than any answer of a peer is believed."""
NEAR = 500
"""So many transactions behind its primary, a replica begins to have each of them on disk before it acknowledges it.
Sooner, it would receive more slowly than a primary that waits for nobody writes, and never catch up."""
RETRY_S = 5.0
LEFT_OFF_S = 1.0
"""A primary that is heard of again after a silence is fenced and leaves the seat at once, or never: to receive from it
again would be a session that nobody named, and then nobody could take the seat from it."""
BROKEN_S = 30.0
"""A replica that cannot apply for this long is copied anew."""
STUCK_REPLICA_S = 60.0
DENIED = 1045
PURGED = 1236

Step = tuple[Progress, Decision]


def follow(progress: Progress, look: Look, seat: Seat) -> Step:
    """The next step of a host without the seat."""
    peer, record = look.peer, look.record
    opened = seat.phase == "open" and seat.owner == seat.holder == peer.host
    if seat.owner == look.host or not opened:
        return _wait(progress, look, seat)
    if look.data == "empty" or record is None:
        if peer.answered and peer.state == "running":
            clone = Clone(donor=peer.host, epoch=seat.epoch)
            return progress, Decision(state="seeding", message=f"copying the data of {peer.host}", actions=(clone,))
        return progress, Decision(
            state="waiting-for-primary", message=f"no data here, and {peer.host} does not answer"
        )
    if record.role == "primary":
        return _step_down(progress, look, seat, record)
    if not look.process:
        if _given_up(look, seat):
            message = "starting the server with all its log: it may hold what nobody else has"
            return progress, Decision(state="starting", message=message, actions=(Start(role="MASTER"),))
        return progress, Decision(
            state="starting",
            message="starting the server as a replica: what was never acknowledged is dropped",
            actions=(Start(role="SLAVE"),),
        )
    if look.server is None:
        kill: tuple[Action, ...] = (Kill(why="it does not answer"),) if look.stuck_s >= STUCK_REPLICA_S else ()
        return progress, Decision(state="starting", message="the server does not answer", actions=kill)
    if look.order == "reinit":
        return _reclone(progress, look, seat, "asked to be copied anew")
    return _attached(progress, look, seat, record, look.server)


def _wait(progress: Progress, look: Look, seat: Seat) -> Step:
    if seat.owner == look.host:
        other = seat.holder or (seat.standby.host if seat.standby else look.host)
        message = f"leaving the seat to {other}" if other != look.host else "the seat is free"
        return progress, Decision(state="waiting-for-primary", message=message)
    idle = look.record is not None and look.record.role == "replica" and not look.process
    replication = look.server.replication if look.server else None
    streaming = replication is not None and replication.streaming
    message = f"{seat.holder or 'nobody'} holds the seat, which is {seat.phase}"
    if seat.owner != look.peer.host:
        message = (
            f"etcd says that {seat.owner} has the data, and bastide.yaml names no such database: name it again"
        )
    return progress, Decision(
        state="running" if streaming else "waiting-for-primary",
        message=message,
        actions=(Start(role="SLAVE"),) if idle and look.data == "ours" else (),
    )


def _step_down(progress: Progress, look: Look, seat: Seat, record: Record) -> Step:
    """Another owns the seat. The record is changed first: whatever starts this server now starts it as a replica."""
    # One that was given up goes on saying of when it is, until it follows the primary or is a copy of it.
    epoch = record.epoch if _given_up(look, seat) else seat.epoch
    demoted = WriteRecord(record=replace(record, role="replica", epoch=epoch, cluster=seat.cluster))
    if look.process and not look.clean:
        why = f"{seat.owner} is the primary now"
        return progress, Decision(state="starting", message=why, actions=(Kill(why=why),))
    return progress, Decision(state="starting", message=f"{seat.owner} is the primary now", actions=(demoted,))


def _attached(progress: Progress, look: Look, seat: Seat, record: Record, server: Server) -> Step:
    peer, replication = look.peer, server.replication
    known = WriteRecord(record=replace(record, epoch=seat.epoch, cluster=seat.cluster, seed_gtid=None))
    recorded: tuple[Action, ...] = () if known.record == record else (known,)
    reigned = (
        record.seed_gtid is None
        and (replication is None or (replication.io, replication.sql) == ("No", "No"))
        and not covers(server.gtid_slave_pos, server.gtid_binlog_pos)
    )
    if replication is None or replication.source != peer.source or record.seed_gtid is not None or reigned:
        progress, objection = _compare(progress, look, seat, server)
        if objection is not None:
            return progress, objection
        position = (SetPosition(gtid=record.seed_gtid),) if record.seed_gtid is not None else ()
        # What it wrote as a primary counts as replicated from now on.
        demote = record.seed_gtid is None and (replication is None or reigned)
        return replace(progress, errant_since_s=None, retried_s=look.now_s), Decision(
            state="starting",
            message=f"following {peer.host}",
            actions=(*position, Follow(source=peer.host, demote=demote), *recorded),
        )
    if replication.streaming:
        return _streaming(progress, look, seat, server, recorded)
    if replication.io_errno == PURGED:
        return _reclone(progress, look, seat, f"{peer.host} lacks what this replica asks for")
    due = look.now_s - progress.retried_s >= RETRY_S
    if replication.io_errno == DENIED and due:
        again = Follow(source=peer.host, demote=False)
        return replace(progress, retried_s=look.now_s), Decision(
            state="starting", message=f"{peer.host} denied access; logging in again", actions=(*recorded, again)
        )
    if "No" in (replication.io, replication.sql):
        progress, objection = _compare(progress, look, seat, server)
        if objection is not None:
            return progress, objection
        broken_since = look.now_s if progress.broken_since_s is None else progress.broken_since_s
        progress = replace(progress, broken_since_s=broken_since)
        if replication.error and look.now_s - broken_since >= BROKEN_S:
            return _reclone(progress, look, seat, replication.error)
        if look.now_s - progress.left_off_s < LEFT_OFF_S:
            message = f"waiting whether {peer.host} leaves the seat"
            return progress, Decision(state="waiting-for-primary", message=message, actions=recorded)
        first = look.now_s - progress.retried_s >= (RETRY_S if replication.error else 1.0)
        return (replace(progress, retried_s=look.now_s) if first else progress), Decision(
            state="replication-broken" if replication.error else "starting",
            message=replication.error or "replica threads are stopped",
            actions=(*recorded, ResumeReplication()) if first else recorded,
        )
    return progress, Decision(
        state="waiting-for-primary", message=replication.error or f"connecting to {peer.host}", actions=recorded
    )


def _streaming(
    progress: Progress, look: Look, seat: Seat, server: Server, recorded: tuple[Action, ...]
) -> tuple[Progress, Decision]:
    """All is well, unless somebody wrote here."""
    peer = look.peer
    if peer.answered and peer.gtid_binlog_state is not None and peer.epoch >= seat.epoch:
        progress = _note_surplus(progress, look, server)
    progress = replace(progress, broken_since_s=None, streamed_s=look.now_s)
    if _is_surplus(progress, look, STRAY_S):
        surplus = ", ".join(sorted(progress.errant))
        return _reclone(progress, look, seat, f"holds transactions that {peer.host} lacks: {surplus}")
    if not server.relay_synced and server.replication is not None:
        left = behind(server.replication.gtid_io_pos, peer.gtid_binlog_state or "")
        if peer.answered and peer.gtid_binlog_state is not None and left <= NEAR:
            recorded = (*recorded, SyncRelay())
    return progress, Decision(state="running", message=f"replica of {peer.host}", actions=recorded)


def _compare(progress: Progress, look: Look, seat: Seat, server: Server) -> tuple[Progress, Decision | None]:
    """What stands against replicating from the primary: transactions that it lacks."""
    peer = look.peer
    if not peer.answered or peer.gtid_binlog_state is None or peer.epoch < seat.epoch:
        return progress, Decision(state="waiting-for-primary", message=f"{peer.host} does not say what it has")
    progress = _note_surplus(progress, look, server)
    if not progress.errant:
        return progress, None
    if not _is_surplus(progress, look, ERRANT_S):
        return progress, Decision(state="starting", message=f"comparing transactions with {peer.host}")
    surplus = ", ".join(sorted(progress.errant))
    return _reclone(progress, look, seat, f"holds transactions that {peer.host} lacks: {surplus}")


def _note_surplus(progress: Progress, look: Look, server: Server) -> Progress:
    """What this server has and the peer's answer lacks. That is older than our own look, by seconds where its host stood
    still, so that only what stays the same in all looks since some moment is surplus."""
    peer = look.peer
    found = frozenset(find_errant(server.gtid_binlog_state, peer.gtid_binlog_state or "", peer.gtid_slave_pos))
    stayed = found & progress.errant if progress.errant_since_s is not None else frozenset()
    since = progress.errant_since_s if stayed else look.now_s
    return replace(progress, errant=stayed or found, errant_since_s=since if found else None)


def _is_surplus(progress: Progress, look: Look, for_s: float) -> bool:
    """Whether it is certain by now: the peer looked at itself after we had these transactions, and lacks them."""
    since = progress.errant_since_s
    return since is not None and look.now_s - since >= for_s and look.peer.seen_s > since


def _given_up(look: Look, seat: Seat) -> bool:
    """This host's data is from before the operator went on without it."""
    return look.record is not None and look.record.epoch < seat.abandoned


def _reclone(progress: Progress, look: Look, seat: Seat, why: str) -> Step:
    """A copy of the owner's running server; this host's own data is put aside until the copy is whole."""
    peer = look.peer
    if _given_up(look, seat) and look.order != "reinit":
        return progress, Decision(
            state="needs-reclone",
            message=f"{why}. {peer.host} was told to go on without this host: save what you need from here, then "
            f"`bastide db reinit {look.host}`",
        )
    if not (peer.answered and peer.state == "running" and peer.role == "primary"):
        return progress, Decision(state="needs-reclone", message=f"{why}; waiting until {peer.host} can be copied")
    return replace(progress, errant_since_s=None, broken_since_s=None), Decision(
        state="needs-reclone",
        message=f"{why}; copying {peer.host}",
        actions=(Reclone(donor=peer.host, epoch=seat.epoch),),
    )
