"""Rule 3: who stands by, while this host is the primary. Pure, part of `takeover.py`.

In: progress, look, seat, server of the holder. Out: the next progress and a decision.
Holds: the seat names a standby only while commits wait for it. It is forgotten in the seat first, then commits cease
to wait; it is waited for first, then named in the seat.
"""

from __future__ import annotations

from dataclasses import replace

from bastide.keeper.actions import CloseAndWait, Decision, Nudge, Propose, SemiSync
from bastide.keeper.facts import Look, Progress, Server
from bastide.keeper.gtid import covers
from bastide.keeper.seat import Seat, Standby

DETACHED_S = 2.0
"""How long commits wait without a single acknowledgement before the primary goes on alone."""
ABSENT_S = 5.0
"""How long a standby may be unheard of while nothing is written."""
NUDGE_S = 0.2
"""How long commits wait before one of our own asks for an acknowledgement."""
ATTACHED_S = 0.5
"""How long a replica must stream before commits wait for it."""

Step = tuple[Progress, Decision]


def keep_standby(progress: Progress, look: Look, seat: Seat, server: Server, *, cramped: bool = False) -> Step:
    """What the open primary does about its standby. `cramped`: the seat shall go to it for want of room here."""
    peer, now = look.peer, look.now_s
    follows = peer.answered and peer.follows_us and peer.state == "running" and peer.session != ""
    moved = server.waiting == 0 or server.acknowledged != progress.acknowledged
    progress = replace(
        progress,
        acknowledged=server.acknowledged,
        moved_s=now if moved or progress.moved_s is None else progress.moved_s,
        followed_s=now if follows or progress.followed_s is None else progress.followed_s,
        attached_since_s=None
        if not follows
        else now
        if progress.attached_since_s is None
        else progress.attached_since_s,
    )
    assert progress.moved_s is not None and progress.followed_s is not None
    stuck = now - progress.moved_s >= DETACHED_S
    absent = now - progress.followed_s >= ABSENT_S
    if seat.standby is not None:
        return _with(progress, look, seat, server, lost=stuck or absent, cramped=cramped)
    return _without(progress, look, seat, server, follows=follows and not stuck, lost=stuck or absent)


def _with(progress: Progress, look: Look, seat: Seat, server: Server, *, lost: bool, cramped: bool) -> Step:
    standby, peer = seat.standby, look.peer
    assert standby is not None
    other = peer.answered and peer.session != standby.session
    if not server.semi_sync or other or (lost and not look.strict):
        why = f"{standby.host} stands by no more"
        return _forget(progress), Decision(
            state="running", message=f"primary; {why}", actions=(Propose(seat=replace(seat, standby=None)),)
        )
    if look.order == "switchover":
        return _hand_over(progress, look, seat, server)
    if cramped:
        return _hand_over(replace(progress, left_s=look.now_s), look, seat, server, why="the disk is nearly full: ")
    # With `strict`, it stays named, and commits wait: only it can have what they wait for.
    how = "is gone, and commits wait for it" if lost else "stands by"
    return progress, Decision(
        state="running", message=f"primary; {standby.host} {how}", actions=_nudge(progress, look, server)
    )


def _without(progress: Progress, look: Look, seat: Seat, server: Server, *, follows: bool, lost: bool) -> Step:
    peer, running = look.peer, "primary; commits wait for a standby" if look.strict else "primary, ALONE"
    if not follows:
        progress = _forget(progress)
        if (
            server.semi_sync
            and not look.strict
            and look.settled
            and (lost or not peer.answered or not peer.follows_us)
        ):
            return progress, Decision(state="running", message=running, actions=(SemiSync(on=False),))
        return progress, Decision(state="running", message=f"{running}: no standby acknowledges")
    if progress.near_pos is None:
        progress = replace(progress, near_pos=server.gtid_binlog_pos)
    near = server.semi_sync or (peer.synced and covers(peer.gtid_io_pos, progress.near_pos or ""))
    since = progress.attached_since_s
    attached_s = look.now_s - since if since is not None else 0.0
    if attached_s < ATTACHED_S or not near:
        return progress, Decision(state="running", message=f"{running}: {peer.host} is coming")
    if not server.semi_sync:
        return replace(progress, grow_pos=None), Decision(
            state="running",
            message=f"primary; commits wait for {peer.host}",
            # Whoever was on the way to the replica just then waits for the acknowledgement of a later commit: this one.
            actions=(SemiSync(on=True), Nudge()),
        )
    if progress.grow_pos is None or progress.grow_session != peer.session:
        # Commits wait since an earlier look: what did not wait is in the log up to here.
        progress = replace(progress, grow_pos=server.gtid_binlog_pos, grow_session=peer.session)
    assert progress.grow_pos is not None
    if not peer.synced or not covers(peer.gtid_io_pos, progress.grow_pos):
        message = f"primary; {peer.host} catches up"
        return progress, Decision(state="running", message=message, actions=_nudge(progress, look, server))
    named = replace(seat, standby=Standby(host=peer.host, session=peer.session))
    return progress, Decision(
        state="running", message=f"primary; {peer.host} stands by", actions=(Propose(seat=named),)
    )


def _nudge(progress: Progress, look: Look, server: Server) -> tuple[Nudge, ...]:
    moved_s = progress.moved_s if progress.moved_s is not None else look.now_s
    return (Nudge(),) if server.semi_sync and look.now_s - moved_s >= NUDGE_S else ()


def _hand_over(progress: Progress, look: Look, seat: Seat, server: Server, why: str = "") -> Step:
    """Planned: writes stop here, all that was written is there, the seat is left to the standby."""
    standby = seat.standby
    assert standby is not None
    vacated = replace(seat, phase="vacant", holder="", heir=standby.host, closed=True)
    return replace(progress, opened_s=None), Decision(
        state="running",
        message=f"{why}handing over to {standby.host}",
        actions=(CloseAndWait(), Propose(seat=vacated)),
    )


def _forget(progress: Progress) -> Progress:
    return replace(progress, grow_pos=None, grow_session="", near_pos=None, attached_since_s=None)
