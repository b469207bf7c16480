"""Whether a host without the seat takes it, and what it does before. Pure, part of `takeover.py`: rules 4 and 7.

In: one `Look` and the seat. Out: a `Decision`, or None where it is not this host's turn.
Holds: only the owner and the named standby, in the named session, take a seat, or whoever an operator told to (`abandon`).
"""

from __future__ import annotations

from dataclasses import replace

from bastide.keeper.actions import Decision, StopReceiving, propose
from bastide.keeper.facts import Look, Server
from bastide.keeper.gtid import covers
from bastide.keeper.patience import FENCE_S, LONGEST_HOLD_S, SILENCE_S, VACANT_S
from bastide.keeper.seat import Seat


def take(look: Look, seat: Seat) -> Decision | None:
    """Take the seat if it is free, and this host is one of those that may."""
    vacant = seat.phase == "vacant"
    if look.data != "ours" or not (vacant or look.seat_age_s >= SILENCE_S):
        return None
    standby, me = seat.standby, look.host
    if seat.owner == me:
        left_to = standby is not None and standby.host != me and (not seat.paused or seat.heir != "")
        if vacant and left_to and look.seat_age_s < VACANT_S:
            return None
        return propose(_taken(seat, me), "taking the seat back")
    if look.order == "abandon" and not look.peer.answered and look.server is not None:
        return _abandon(look, seat, look.server)
    if vacant and seat.heir == me and seat.closed and _is_named(look, seat):
        opened = replace(_taken(seat, me), phase="open", owner=me, standby=None)
        return propose(opened, "the primary handed over: opening the seat", state="promoting")
    if not _may_take(look, seat):
        return None
    taken = _taken(seat, me)
    asked = _is_asked(look, seat)
    return propose(taken if asked else replace(taken, flaps=seat.flaps + 1), "taking the seat", state="promoting")


def leave_off(look: Look, seat: Seat) -> Decision | None:
    """Nearly the time to take it: the holder's lease is over by all that voters know. To stop receiving is always safe,
    and takes a second when the other end is gone: a semi-synchronous replica first calls there to say good-bye."""
    if look.quiet_s < FENCE_S or seat.phase != "open" or seat.owner == look.host or not _may_take(look, seat):
        return None
    return Decision(
        state="waiting-for-primary",
        message=f"{seat.owner} is silent: receiving nothing more from it",
        actions=(StopReceiving(),) if may_receive(look) else (),
    )


def may_receive(look: Look) -> bool:
    """Whether there is something to revoke yet."""
    replication = look.server.replication if look.server else None
    return replication is not None and replication.io != "No" and look.revokes


def _is_named(look: Look, seat: Seat) -> bool:
    standby = seat.standby
    named = standby is not None and standby.host == look.host and standby.session == look.session
    return named and look.server is not None


def _is_asked(look: Look, seat: Seat) -> bool:
    return seat.heir == look.host or look.order == "failover"


def _may_take(look: Look, seat: Seat) -> bool:
    """Whether it is this host that takes over once the seat is free."""
    if not _is_named(look, seat):
        return False
    if not _is_asked(look, seat) and (seat.paused or held_s(seat, look.hold_s, look.epoch_age_s)):
        return False
    replication = look.server.replication if look.server else None
    return replication is not None and replication.sql == "Yes"


def why_not(look: Look, seat: Seat) -> str:
    """Why the standby leaves a seat that it could take; empty where it could not."""
    replication = look.server.replication if look.server else None
    free = seat.phase == "vacant" or look.seat_age_s >= SILENCE_S
    if not (free and _is_named(look, seat) and replication is not None and replication.sql == "Yes"):
        return ""
    if seat.paused:
        return f"{seat.owner} is gone, and automatic failover is paused: `bastide db failover` lets this host take over"
    left_s = held_s(seat, look.hold_s, look.epoch_age_s)
    if not left_s:
        return ""
    return (
        f"{seat.owner} is gone; takes over in {left_s:.0f} s, for the last takeover was not long ago (failover_hold): "
        "`bastide db failover` does it now"
    )


def _abandon(look: Look, seat: Seat, server: Server) -> Decision:
    """The owner is lost for ever, and the operator wants to go on with what this host has."""
    replication = server.replication
    if replication is not None and replication.io != "No":
        return Decision(
            state="promoting", message=f"receiving nothing more from {seat.owner}", actions=(StopReceiving(),)
        )
    applies = replication is not None and replication.sql == "Yes"
    if replication is not None and applies and not covers(server.gtid_slave_pos, replication.gtid_io_pos):
        return Decision(state="promoting", message="applying what was received")
    taken = _taken(seat, look.host)
    opened = replace(taken, phase="open", owner=look.host, standby=None, flaps=0, abandoned=taken.epoch)
    return propose(opened, f"told to go on without {seat.owner}: opening the seat", state="promoting")


def _taken(seat: Seat, host: str) -> Seat:
    # What was said of a handover is true no more: this host may write from here on.
    return replace(seat, epoch=seat.epoch + 1, phase="promoting", holder=host, heir="", closed=False)


def hold_s(seat: Seat, least_s: float) -> float:
    """How long the next automatic takeover must wait after the last one."""
    return min(LONGEST_HOLD_S, least_s * 2.0 ** (seat.flaps - 1)) if seat.flaps else 0.0


def held_s(seat: Seat, least_s: float, epoch_age_s: float) -> float:
    """How much of that is left."""
    return max(0.0, hold_s(seat, least_s) - epoch_age_s)
