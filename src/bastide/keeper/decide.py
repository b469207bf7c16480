"""What to do, from what is known. Pure: the later, quorum-based keeper replaces this file and keeps the rest.

In: `Memory` of earlier looks and one `Observation`. Out: the next `Memory` and a `Decision`.

There is no automatic takeover here: a role changes only where an operator wrote a higher epoch. From that follow
the rules, and why they are safe:

1. A data directory that is not ours is never touched. An empty one is initialised only with the operator's grant
   and only while no peer has data; otherwise it is copied from the primary.
2. The highest recorded epoch wins. Whoever learns of a higher one stops writing first and asks questions later.
3. Two primaries of one epoch cannot come about by these rules, so a person made them: both stop writing and say so.
   Choosing one of them here would silently throw away what the other acknowledged.
4. A recorded primary that no peer contradicts opens for writes, also when no peer answers: nobody but an operator
   could have promoted another. It waits GRACE_S for answers first, so that a start of everything at once asks
   before it acts. One that is open already stays open while a restarted keeper asks: nothing happened to it.
5. A server with transactions that the primary lacks never serves (`needs-reclone`); nothing is deleted.
6. Commits wait for a replica while one is attached. When the last is gone for DETACHED_S the primary goes on alone,
   because without takeover a wait would protect nothing; the state says so until a replica is back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bastide.keeper.actions import (
    Action,
    Clone,
    CloseForWrites,
    Decision,
    Follow,
    Initialise,
    OpenForWrites,
    ResumeReplication,
    SemiSync,
    SetPosition,
    StartServer,
    WriteRecord,
)
from bastide.keeper.facts import Memory, Observation, Peer, Record, Server
from bastide.keeper.gtid import find_errant

GRACE_S = 3.0
"""How long after its start the keeper waits for peers that have not answered yet."""
DETACHED_S = 3.0
"""How long commits may wait without any sign of a replica."""
ATTACHED_S = 2.0
"""How long a replica must stream before commits wait for it."""
ERRANT_S = 5.0
"""How long surplus transactions must be seen; a peer's answer may be older than our own look."""
RETRY_S = 10.0
"""Time between attempts to start stopped replica threads."""
START_S = 20.0
"""Time between requests to start a server that does not answer; systemd itself restarts one that died."""
DENIED = 1045
"""ER_ACCESS_DENIED_ERROR: the password was changed, or the primary has not made our account yet."""
PURGED = 1236
"""ER_MASTER_FATAL_ERROR_READING_BINLOG: the primary no longer has, or never had, what this replica asks for."""

Step = tuple[Memory, Decision]


def decide(memory: Memory, seen: Observation) -> Step:
    """The next step of one keeper."""
    if seen.job is not None:
        return memory, Decision(state=seen.job, message=f"{seen.job} the data directory")
    if seen.data == "foreign":
        return memory, Decision(
            state="refused", message="the data directory holds files that are not ours; it is left untouched"
        )
    if seen.data == "empty" or seen.record is None:
        return _without_data(memory, seen)
    if seen.server is None:
        return _without_server(memory, seen)
    if seen.record.role == "primary":
        return _as_primary(memory, seen, seen.record, seen.server)
    return _as_replica(memory, seen, seen.record, seen.server)


def _without_data(memory: Memory, seen: Observation) -> Step:
    primary, conflict = _find_primary(seen.peers, at_least=0)
    if primary is not None and primary.state == "running":
        return memory, Decision(
            state="seeding",
            message=f"copying the data of {primary.host}",
            actions=(Clone(donor=primary.host, epoch=primary.epoch),),
        )
    if conflict:
        return memory, Decision(state="waiting-for-primary", message=conflict)
    owners = [p.host for p in seen.peers if p.role is not None]
    if owners or not seen.granted:
        if owners or seen.peers:
            hint = f"{', '.join(owners)} has data but no primary runs" if owners else "no peer has data"
            return memory, Decision(state="waiting-for-primary", message=f"no data here, and {hint}")
        return memory, Decision(state="waiting-for-grant", message="no data here, and no grant to initialise")
    if not _peers_heard(memory, seen):
        return memory, Decision(state="waiting-for-primary", message="asking the peers before initialising")
    return memory, Decision(state="initialising", message="making a new database", actions=(Initialise(),))


def _without_server(memory: Memory, seen: Observation) -> Step:
    ask = seen.now_s - memory.start_asked_s >= START_S
    decision = Decision(
        state="starting",
        message="the server does not answer",
        actions=(StartServer(),) if ask else (),
    )
    asked_s = seen.now_s if ask else memory.start_asked_s
    return replace(memory, start_asked_s=asked_s, opened=False, streamed_s=None), decision


def _as_primary(memory: Memory, seen: Observation, record: Record, server: Server) -> Step:
    shut: tuple[Action, ...] = () if server.read_only else (CloseForWrites(),)
    other, conflict = _find_primary(seen.peers, at_least=record.epoch)
    if conflict or (other is not None and other.epoch == record.epoch):
        names = conflict or f"{other.host if other else ''} is a primary of epoch {record.epoch}, too"
        return replace(memory, opened=False), Decision(
            state="conflict",
            message=f"{names}; this server takes no writes until one of them is demoted",
            actions=shut,
        )
    if other is not None:
        memory = replace(memory, opened=False)
        if shut:
            return memory, Decision(state="starting", message=f"{other.host} has a higher epoch", actions=shut)
        return _attach(memory, seen, server, other, demote=True)
    if server.read_only and not memory.opened and not _peers_heard(memory, seen):
        return memory, Decision(state="starting", message="asking the peers before taking writes")
    memory, semi_sync, message = _semi_sync(memory, seen, server)
    if server.read_only or not memory.opened:
        semi_sync = (OpenForWrites(), *semi_sync)
    return replace(memory, opened=True, errant_since_s=None), Decision(
        state="running", message=message, actions=semi_sync
    )


def _semi_sync(memory: Memory, seen: Observation, server: Server) -> tuple[Memory, tuple[Action, ...], str]:
    """Rule 6. `sync_clients` alone does not tell: it goes stale when a peer dies, so waiting commits count too."""
    if not seen.peers:
        return memory, (), "primary"
    stuck = server.waiting > 0 and server.acknowledged == memory.acknowledged
    followers = any(p.answered and p.follows_us and p.state == "running" for p in seen.peers)
    healthy = server.sync_clients > 0 and not stuck
    attached = healthy and followers
    detached_since = (
        None if healthy else memory.detached_since_s if memory.detached_since_s is not None else seen.now_s
    )
    attached_since = (
        None if not attached else memory.attached_since_s if memory.attached_since_s is not None else seen.now_s
    )
    memory = replace(
        memory,
        detached_since_s=detached_since,
        attached_since_s=attached_since,
        acknowledged=server.acknowledged,
    )
    if server.semi_sync:
        if detached_since is not None and seen.now_s - detached_since >= DETACHED_S:
            return (
                memory,
                (SemiSync(on=False),),
                "primary, ALONE: no replica acknowledges, commits are on this host only",
            )
        return memory, (), "primary"
    if attached_since is not None and seen.now_s - attached_since >= ATTACHED_S:
        return memory, (SemiSync(on=True),), "primary, commits wait for a replica from now on"
    return memory, (), "primary, ALONE: no replica acknowledges, commits are on this host only"


def _as_replica(memory: Memory, seen: Observation, record: Record, server: Server) -> Step:
    memory = replace(memory, opened=False)
    if not server.read_only:
        return memory, Decision(state="starting", message="a replica takes no writes", actions=(CloseForWrites(),))
    primary, conflict = _find_primary(seen.peers, at_least=record.epoch)
    replication = server.replication
    following = replication is not None and primary is not None and replication.source == primary.source
    if following or (primary is None and replication is not None and replication.streaming):
        return _replicating(memory, seen, record, server, primary)
    if primary is None:
        return memory, Decision(state="waiting-for-primary", message=conflict or "no primary answers")
    return _attach(memory, seen, server, primary, demote=False)


def _attach(memory: Memory, seen: Observation, server: Server, primary: Peer, *, demote: bool) -> Step:
    """Rule 5, then follow."""
    memory, objection = _compare(memory, seen, server, primary)
    if objection is not None:
        return memory, objection
    assert seen.record is not None
    follow = Follow(source=primary.host, demote=demote)
    following = replace(seen.record, role="replica", epoch=primary.epoch, seed_gtid=None)
    position = (SetPosition(gtid=seen.record.seed_gtid),) if seen.record.seed_gtid is not None else ()
    recorded = () if following == seen.record else (WriteRecord(record=following),)
    # A fresh copy's position must stand in the server before the record forgets it; an ex-primary must be
    # demoted in the server before the record calls it a replica. Interrupted anywhere, the same step comes again.
    return replace(memory, errant_since_s=None, streamed_s=None), Decision(
        state="starting", message=f"following {primary.host}", actions=(*position, follow, *recorded)
    )


def _compare(memory: Memory, seen: Observation, server: Server, primary: Peer) -> tuple[Memory, Decision | None]:
    """Rule 5: what stands against replicating from this primary. Only for a server that does not replicate now: one
    that does may be ahead of the peer's latest answer, and gtid_strict_mode stops it at the first surplus."""
    if primary.gtid_binlog_state is None:
        return memory, Decision(
            state="waiting-for-primary", message=f"the server of {primary.host} does not answer"
        )
    errant = find_errant(server.gtid_binlog_state, primary.gtid_binlog_state, primary.gtid_slave_pos)
    if not errant:
        return replace(memory, errant_since_s=None), None
    since = memory.errant_since_s if memory.errant_since_s is not None else seen.now_s
    memory = replace(memory, errant_since_s=since)
    if seen.now_s - since < ERRANT_S:
        return memory, Decision(state="starting", message=f"comparing transactions with {primary.host}")
    return memory, Decision(
        state="needs-reclone", message=f"holds transactions that {primary.host} lacks: {', '.join(errant)}"
    )


def _replicating(memory: Memory, seen: Observation, record: Record, server: Server, primary: Peer | None) -> Step:
    replication = server.replication
    assert replication is not None
    actions: tuple[Action, ...] = ()
    if primary is not None and primary.epoch > record.epoch:
        actions = (WriteRecord(record=replace(record, epoch=primary.epoch)),)
    if replication.streaming:
        return replace(memory, streamed_s=seen.now_s, errant_since_s=None), Decision(
            state="running", message=f"replica of {replication.source}", actions=actions
        )
    if replication.io_errno == PURGED:
        return memory, Decision(
            state="needs-reclone", message=replication.error or "the primary lacks our position"
        )
    due = seen.now_s - memory.retried_s >= RETRY_S
    if replication.io_errno == DENIED and primary is not None and due:
        again = Follow(source=primary.host, demote=False)
        return replace(memory, retried_s=seen.now_s), Decision(
            state="starting",
            message=f"{primary.host} denied access; logging in with the present password",
            actions=(*actions, again),
        )
    if "No" in (replication.io, replication.sql) and primary is not None:
        memory, objection = _compare(memory, seen, server, primary)
        if objection is not None:
            return memory, objection
        if due:
            memory = replace(memory, retried_s=seen.now_s)
            actions = (*actions, ResumeReplication())
        return memory, Decision(
            state="replication-broken" if replication.error else "starting",
            message=replication.error or "replica threads are stopped",
            actions=actions,
        )
    return memory, Decision(
        state="waiting-for-primary",
        message=replication.error or f"connecting to {replication.source}",
        actions=actions,
    )


def _find_primary(peers: Iterable[Peer], *, at_least: int) -> tuple[Peer | None, str]:
    """The one primary of the highest epoch, or what is wrong."""
    primaries = [p for p in peers if p.answered and p.role == "primary" and p.epoch >= at_least]
    highest = max((p.epoch for p in primaries), default=0)
    best = [p for p in primaries if p.epoch == highest]
    if len(best) > 1:
        return None, f"{' and '.join(p.host for p in best)} are both primaries of epoch {highest}"
    return (best[0], "") if best else (None, "")


def _peers_heard(memory: Memory, seen: Observation) -> bool:
    return all(p.answered for p in seen.peers) or seen.now_s - memory.started_s >= GRACE_S
