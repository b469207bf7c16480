"""Two database hosts, a register and the worst of networks, small enough to visit every state.

In: a `World`. Out: every world that can follow it, by one event each.
Holds: the keepers' decisions are the real ones (`takeover.decide`); servers, replication and register behave as
measured: a killed server keeps its log; started as MASTER it keeps all of it, as SLAVE it may lose everything of its
reign; a replica that restarts loses what it received and did not apply; a proposal may be lost, its answer may be
lost, or it may arrive late. Time is an event: a lease ends, a silence grows long enough, a patience ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as _replace
from itertools import product
from typing import Any, Literal, NamedTuple, TypeVar, cast

from bastide.keeper import actions
from bastide.keeper.facts import Look, Peer, Progress, Record, Replication, Server
from bastide.keeper.promise import goes_on_alone, may_promise
from bastide.keeper.room import LOW_BYTES
from bastide.keeper.seat import Seat, Standby
from bastide.keeper.takeover import decide

LONG = 1e4
PLENTY = 1 << 40
Value = TypeVar("Value")
A, B = 0, 1
NAMES = ("db1", "db2")
Entry = tuple[int, int]
"""Who wrote it, and which write it is."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is switched off in a control experiment."""

    fencing: bool = True
    revocation: bool = True
    sessions: bool = True
    settling: bool = True
    catching_up: bool = True
    """In a planned switchover the heir has applied everything before the owner leaves."""
    strict: bool = False
    failsafe: bool = False
    """Without the register, the primary goes on by its standby's word."""
    promising: bool = True
    """The standby keeps its word."""
    reviving: bool = False
    """A promise gives back a lease that ran out."""
    order: Literal["switchover", "abandon"] = "switchover"
    """What an operator may ask for once."""
    asking: bool = True
    """A primary that may have named somebody asks, too."""


class Node(NamedTuple):
    """One host: its keeper's mind and its server."""

    seen: Seat | None
    rev: int
    settled: bool
    lease: bool
    silent: bool
    progress: Progress
    stale: Peer | None
    """The last that it heard of the other, while it hears nothing new."""
    keeper: bool
    record: str
    """Role in the record."""
    up: bool
    read_only: bool
    semi: bool
    log: tuple[Entry, ...]
    reign: int
    """Length of the log when it was last opened for writes."""
    waiting: bool
    """Commits wait for an acknowledgement."""
    follows: bool
    io: bool
    relay: tuple[Entry, ...]
    session: int
    """0: none."""
    clean: bool
    vouched: bool = False
    """The lease is by want of a standby (or by a broken word): the other host's patience does not count from it."""
    room: int = PLENTY
    """Bytes that are free on its disk."""


class World(NamedTuple):
    """Everything."""

    seat: Seat
    rev: int
    nodes: tuple[Node, Node]
    flying: tuple[tuple[int, int, Seat], ...]
    """Proposals that may still arrive: who, guarded on which revision, what."""
    acked: frozenset[int]
    writes: int
    kills: int
    losses: int
    lates: int
    sessions: int
    fills: int = 0
    """So many disks may still fill up."""


def replace(value: Value, **changes: Any) -> Value:
    """dataclasses.replace, but quick for the two that are copied all the time."""
    if isinstance(value, Node | World):
        return cast("Value", value._replace(**changes))
    return cast("Value", _replace(cast("Any", value), **changes))


def start(*, writes: int, kills: int, losses: int, lates: int, fills: int = 0, alone: bool = False) -> World:
    """db1 is the open primary, db2 its named standby (or, `alone`, a replica that is not named yet); nothing was written
    yet."""
    named = None if alone else Standby(host="db2", session="1")
    seat = Seat(cluster="c", epoch=1, phase="open", holder="db1", owner="db1", standby=named)
    node = Node(
        seen=seat, rev=1, settled=True, lease=True, silent=False, progress=Progress(opened_s=0.0), stale=None,
        keeper=True, record="primary", up=True, read_only=False, semi=not alone, log=(), reign=0, waiting=False,
        follows=False, io=False, relay=(), session=0, clean=False,
    )  # fmt: skip
    other = replace(
        node, lease=False, progress=Progress(), record="replica", read_only=True, semi=False,
        follows=True, io=True, session=1,
    )  # fmt: skip
    world = World(
        seat=seat, rev=1, nodes=(node, other), flying=(), acked=frozenset(), writes=writes, kills=kills,
        losses=losses, lates=lates, sessions=1, fills=fills,
    )  # fmt: skip
    return squeeze(world)


def successors(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Every next world, with the name of what happened."""
    for me in (A, B):
        node, other = world.nodes[me], world.nodes[1 - me]
        name = NAMES[me]
        if node.keeper:
            yield from _steps(world, me, rules)
            if node.rev != world.rev:
                yield f"{name} reads", _put(world, me, _read(world, node))
            holder = world.seat.holder == name and node.rev == world.rev
            if holder and (node.vouched or not (node.lease and node.settled)):
                renewed = replace(world.seat, n=0)
                after = replace(world, seat=renewed, rev=world.rev + 1)
                yield (
                    f"{name} renews",
                    _put(
                        after,
                        me,
                        replace(node, seen=renewed, rev=after.rev, lease=True, settled=True, vouched=False),
                    ),
                )
            if node.stale is not None:
                yield f"{name} hears {NAMES[1 - me]} again", _put(world, me, replace(node, stale=None))
            elif world.lates:
                deaf = replace(node, stale=_replace(_peer_of(world, 1 - me), seen_s=0.0))
                yield f"{name} hears nothing new", _put(replace(world, lates=world.lates - 1), me, deaf)
            if rules.failsafe:
                yield from _vouch(world, me, rules)
            # Nothing changed for longer than any lease lasts: whoever held one knows nothing of it any more.
            patient = other.lease and not other.vouched
            if not node.silent and node.rev == world.rev and world.seat.holder != name and not patient:
                yield f"{name} finds silence", _put(world, me, replace(node, silent=True))
        # By itself where the keeper cannot renew; else its renewals do not come through, which is a loss.
        lapses = node.lease and (not node.keeper or world.seat.holder != name)
        if lapses or (node.lease and world.losses):
            ended = replace(node, lease=False, vouched=False)
            fenced = _killed(ended) if rules.fencing and node.up else ended
            yield f"{name}: lease ends", _put(replace(world, losses=world.losses - (not lapses)), me, fenced)
        if world.kills:
            fewer = replace(world, kills=world.kills - 1)
            if node.up:
                yield f"{name}: server dies", _put(fewer, me, _killed(node))
            if node.keeper:
                reborn = _reborn(node)
                yield f"{name}: keeper restarts", _put(fewer, me, reborn)
                yield f"{name}: keeper stops", _put(fewer, me, replace(reborn, keeper=False))
            yield (
                f"{name}: host dies",
                _put(
                    fewer,
                    me,
                    replace(_reborn(_killed(node)), keeper=False, lease=False, vouched=False),
                ),
            )
        for left, word in ((LOW_BYTES - 1, "nearly full"), (0, "full")) if world.fills else ():
            if left < node.room:
                yield (
                    f"{name}: disk {word}",
                    _put(replace(world, fills=world.fills - 1), me, replace(node, room=left)),
                )
        if not node.keeper:
            yield f"{name}: keeper starts", _put(world, me, replace(node, keeper=True))
        if node.up and not node.read_only and world.writes and not node.waiting:
            entry = (me, world.writes)
            written = replace(node, log=(*node.log, entry), waiting=node.semi)
            after = _put(replace(world, writes=world.writes - 1), me, written)
            if not node.semi:
                after = replace(after, acked=after.acked | {world.writes})
            yield f"{name}: write {world.writes}", after
        if node.up and node.follows and node.io and other.up and _streams(node, other):
            missing = other.log[len(node.log) + len(node.relay) :]
            if missing or other.waiting:
                after = _put(world, me, replace(node, relay=(*node.relay, *missing)))
                if other.waiting:
                    after = _put(after, 1 - me, replace(other, waiting=False))
                    after = replace(after, acked=after.acked | {w for _, w in other.log})
                yield f"{name} receives", after
        if node.up and node.relay:
            yield f"{name} applies", _put(world, me, replace(node, log=node.log + node.relay, relay=()))
    for index, (who, rev, seat) in enumerate(world.flying):
        rest = replace(world, flying=world.flying[:index] + world.flying[index + 1 :])
        yield (
            f"late proposal of {NAMES[who]} arrives",
            (replace(rest, seat=seat, rev=rest.rev + 1) if rev == rest.rev else rest),
        )


def _steps(world: World, me: int, rules: Rules) -> Iterator[tuple[str, World]]:
    """One look of one keeper, patient or not; each of its proposals may go wrong, and it may be cut short."""
    node = world.nodes[me]
    vouched = (False, True) if rules.failsafe and node.lease else (False,)
    for late, by_word in product((False, True), vouched):
        if late and not world.lates:
            continue
        look = replace(_look(world, me, rules, late=late), vouched=by_word)
        progress, decision = decide(node.progress, look)
        word = f"{NAMES[me]} {'loses patience' if late else 'looks'}: {decision.message}"
        if late:
            patient = decide(node.progress, replace(_look(world, me, rules, late=False), vouched=by_word))
            if (_timeless(patient[0]), patient[1]) == (_timeless(progress), decision):
                continue
        spent = replace(world, lates=world.lates - 1) if late else world
        spent = _put(spent, me, replace(node, progress=_timeless(progress)))
        if not decision.actions:
            if spent != world:
                yield word, spent
            continue
        yield from _act(spent, me, decision.actions, word, rules)
        if len(decision.actions) > 1 and world.kills:
            for cut in range(1, len(decision.actions)):
                cut_short = replace(spent, kills=spent.kills - 1)
                for said, after in _act(cut_short, me, decision.actions[:cut], word, rules):
                    yield f"{said}; cut short", _put(after, me, _reborn(after.nodes[me]))


def _act(
    world: World, me: int, ordered: tuple[actions.Action, ...], word: str, rules: Rules
) -> Iterator[tuple[str, World]]:
    for index, action in enumerate(ordered):
        node = world.nodes[me]
        match action:
            case actions.Propose(seat=seat):
                assert index == len(ordered) - 1, "what is proposed comes last: its outcome decides"
                yield from _propose(world, me, replace(seat, n=0), word)
                return
            case actions.Kill():
                node = _killed(node)
            case actions.Start(role=role):
                log = node.log[: node.reign] if role == "SLAVE" else node.log
                node = replace(
                    node, up=True, read_only=True, semi=False, log=log, waiting=False, io=False, clean=False
                )
            case actions.WriteRecord(record=record):
                node = replace(node, record=record.role)
            case actions.Nudge():
                pass
            case actions.ForgetReplication():
                node = replace(node, follows=False, io=False, relay=(), session=0)
            case actions.StopReceiving():
                node = replace(node, io=False)
            case actions.Follow() | actions.ResumeReplication():
                world = replace(world, sessions=world.sessions + 1)
                node = replace(node, follows=True, io=True, relay=(), session=world.sessions, semi=False)
            case actions.SemiSync(on=on):
                if not on and node.waiting:
                    world = replace(world, acked=world.acked | {w for _, w in node.log})
                node = replace(node, semi=on, waiting=node.waiting and on)
            case actions.OpenForWrites():
                if not node.up or node.relay:
                    yield f"{word} (fails)", world
                    return
                node = replace(node, read_only=False, reign=len(node.log), clean=False)
            case actions.CloseAndWait():
                other = world.nodes[1 - me]
                behind = rules.catching_up and len(other.log) < len(node.log)
                if node.waiting or behind or not other.up:
                    yield f"{word} (fails)", world
                    return
                node = replace(node, read_only=True, clean=True)
            case actions.Reclone():
                donor = world.nodes[1 - me]
                if not donor.up:
                    return
                world = replace(world, sessions=world.sessions + 1)
                node = replace(
                    _killed(node), up=True, log=donor.log, reign=len(donor.log), record="replica", follows=True, io=True,
                    session=world.sessions,
                )  # fmt: skip
            case _:
                raise AssertionError(f"the model does not know {action}")
        world = _put(world, me, node)
    yield word, world


def _propose(world: World, me: int, seat: Seat, word: str) -> Iterator[tuple[str, World]]:
    node = world.nodes[me]
    arrives = node.rev == world.rev
    if arrives:
        after = replace(world, seat=seat, rev=world.rev + 1)
        # A holder's lease runs from what it wrote; whoever leaves has none.
        lease = seat.holder == NAMES[me] or node.lease
        answered = replace(
            node, seen=seat, rev=after.rev, settled=True, silent=False, lease=lease, vouched=False
        )  # fmt: skip
        yield word, _put(after, me, answered)
    else:
        yield f"{word} (refused)", _put(world, me, _read(world, node))
    if world.losses:
        fewer = replace(world, losses=world.losses - 1)
        # Whoever is named by it waits for longer than what lease there was before it was sent.
        unsure = _put(fewer, me, replace(node, settled=False, vouched=False))
        yield f"{word} (request lost)", unsure
        if arrives:
            yield f"{word} (answer lost)", replace(unsure, seat=seat, rev=world.rev + 1)
            yield f"{word} (late)", replace(unsure, flying=(*world.flying, (me, node.rev, seat)))


def _look(world: World, me: int, rules: Rules, *, late: bool) -> Look:
    node = world.nodes[me]
    seat = node.seen
    vacant = seat is not None and seat.phase == "vacant"
    session = str(node.session) if rules.sessions or node.session == 0 else "1"
    if not rules.sessions and seat is not None and seat.standby is not None and seat.standby.host == NAMES[me]:
        session = seat.standby.session
    return Look(
        now_s=LONG if late else 0.0,
        seen_s=LONG if late else 0.0,
        host=NAMES[me],
        register="known",
        seat=seat,
        settled=node.settled or not rules.settling,
        seat_age_s=LONG if (late and vacant) or node.silent else 0.0,
        quiet_s=LONG if late else 0.0,
        epoch_age_s=LONG,
        lease=node.lease,
        data="ours",
        granted=False,
        record=Record(role=node.record, epoch=1, cluster="c"),  # type: ignore[arg-type]
        process=node.up,
        frozen_s=0.0,
        stuck_s=0.0,
        clean=node.clean,
        server=_server(node, me) if node.up else None,
        session=session if node.up and node.session else "",
        peer=node.stale or _peer_of(world, 1 - me),
        job=None,
        # To go on without the owner takes more than one look.
        order=rules.order if late and (world.lates == 1 or rules.order == "abandon") else "",
        strict=rules.strict,
        hold_s=0.0,
        fresh_name="x",
        revokes=rules.revocation,
        room_bytes=node.room,
    )


def _server(node: Node, me: int) -> Server:
    stream = Replication(
        source=f"{NAMES[1 - me]}.name", io="Yes" if node.io else "No", sql="Yes", lag_s=0.0, io_errno=0, error="",
        gtid_io_pos=_pos((*node.log, *node.relay)),
    )  # fmt: skip
    return Server(
        read_only=node.read_only,
        gtid_binlog_pos=_pos(node.log),
        gtid_binlog_state=_state(node.log),
        gtid_slave_pos=_pos(node.log) if node.follows else "",
        replication=stream if node.follows else None,
        semi_sync=node.semi,
        sync_clients=1,
        waiting=int(node.waiting),
        acknowledged=0,
        unacknowledged=0,
    )


def _peer_of(world: World, who: int) -> Peer:
    node = world.nodes[who]
    if not node.keeper:
        return _silent(who)
    seat = node.seen
    leads = seat is not None and seat.owner == NAMES[who] and node.record == "primary"
    running = node.up and ((node.follows and node.io) or (leads and not node.read_only))
    return Peer(
        host=NAMES[who],
        source=f"{NAMES[who]}.name",
        answered=True,
        role="primary" if leads else "replica",
        epoch=seat.epoch if seat else 0,
        state="running" if running else "starting",
        follows_us=node.up and node.follows,
        gtid_binlog_state=_state(node.log) if node.up else None,
        gtid_io_pos=_pos((*node.log, *node.relay)) if node.up else "",
        session=str(node.session) if node.up and node.session else "",
        room_bytes=node.room,
        seen_s=2 * LONG,
    )


def _silent(who: int) -> Peer:
    return Peer(host=NAMES[who], source=f"{NAMES[who]}.name", answered=False)


def _read(world: World, node: Node) -> Node:
    return replace(node, seen=world.seat, rev=world.rev, silent=False)


def _reborn(node: Node) -> Node:
    """Another keeper: it knows nothing of what its predecessor had sent, and waits anew."""
    return replace(node, progress=Progress(), settled=False, silent=False, clean=False)


def _vouch(world: World, me: int, rules: Rules) -> Iterator[tuple[str, World]]:
    """The primary goes on without the register, alone or by the word of the other: as it believes things to be."""
    node, other = world.nodes[me], world.nodes[1 - me]
    seat, name = node.seen, NAMES[me]
    if seat is None or (seat.holder, seat.phase) != (name, "open") or not (node.lease or rules.reviving):
        return
    if goes_on_alone(seat, settled=node.settled or not rules.asking):
        yield f"{name} goes on alone", _put(world, me, replace(node, lease=True, vouched=True))
        return
    if other.keeper and may_promise(other.seen, NAMES[1 - me], asker=name, epoch=seat.epoch):
        # Its patience begins anew: as good as a renewal. One that breaks its word is as impatient as before.
        after = _put(world, 1 - me, replace(other, silent=other.silent and not rules.promising))
        yield (
            f"{NAMES[1 - me]} promises {name} to wait",
            _put(after, me, replace(node, lease=True, vouched=not rules.promising)),
        )


def _killed(node: Node) -> Node:
    """SIGKILL: the log stays, what was received and not applied is lost, the session with it."""
    return replace(
        node, up=False, read_only=True, semi=False, waiting=False, io=False, relay=(), session=0, clean=False
    )


def _streams(node: Node, other: Node) -> bool:
    mine = (*node.log, *node.relay)
    return other.log[: len(mine)] == mine


def _pos(log: tuple[Entry, ...]) -> str:
    return f"0-{log[-1][0] + 1}-{len(log)}" if log else ""


def _state(log: tuple[Entry, ...]) -> str:
    last = {server: index + 1 for index, (server, _) in enumerate(log)}
    return ",".join(f"0-{server + 1}-{n}" for server, n in sorted(last.items()))


def _timeless(progress: Progress) -> Progress:
    def past(value: float | None) -> float | None:
        return None if value is None else 0.0

    return replace(
        progress,
        opened_s=past(progress.opened_s),
        moved_s=past(progress.moved_s),
        followed_s=past(progress.followed_s),
        attached_since_s=past(progress.attached_since_s),
        errant_since_s=past(progress.errant_since_s),
        broken_since_s=past(progress.broken_since_s),
        streamed_s=past(progress.streamed_s),
        retried_s=-LONG,
        left_s=-LONG,
        left_off_s=past(progress.left_off_s) if progress.left_off_s > -LONG else -LONG,
    )


def _put(world: World, me: int, node: Node) -> World:
    return replace(world, nodes=(node, world.nodes[B]) if me == A else (world.nodes[A], node))


def squeeze(world: World) -> World:
    """The same world with small numbers: of revisions only "the newest" matters, of epochs the order, of sessions
    who has the same."""
    epochs = {0, world.seat.epoch, *(n.seen.epoch for n in world.nodes if n.seen)}
    epochs |= {n.stale.epoch for n in world.nodes if n.stale}
    epochs |= {seat.epoch for _, _, seat in world.flying}
    epoch = {value: rank for rank, value in enumerate(sorted(epochs))}
    session: dict[str, str] = {"": "", "0": "0"}

    def name(old: str) -> str:
        return session.setdefault(old, str(len(session) - 1))

    def seated(seat: Seat) -> Seat:
        standby = replace(seat.standby, session=name(seat.standby.session)) if seat.standby else None
        return replace(seat, epoch=epoch[seat.epoch], standby=standby, flaps=0)

    seat = seated(world.seat)
    nodes = []
    for node in world.nodes:
        newest = node.rev == world.rev
        grow = node.progress.grow_session
        nodes.append(
            replace(
                node,
                seen=seat if newest else seated(node.seen) if node.seen else None,
                rev=1 if newest else 0,
                stale=replace(node.stale, epoch=epoch[node.stale.epoch], session=name(node.stale.session))
                if node.stale
                else None,
                session=int(name(str(node.session))),
                progress=replace(node.progress, grow_session=name(grow), retried_s=-LONG),
                # How long it was quiet matters to whoever may take the seat.
                silent=node.silent and newest,
            )
        )
    flying = tuple((who, 1, seated(late)) for who, rev, late in world.flying if rev == world.rev)
    return replace(world, seat=seat, rev=1, nodes=(nodes[0], nodes[1]), flying=flying, sessions=len(session))
