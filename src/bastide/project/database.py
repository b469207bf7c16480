"""The database as a whole: who is primary, who stands by, and orders to the keepers.

In: a Target. Out: `DatabaseState`, as values and as the JSON of `bastide db status`; an order's outcome.
Holds: nothing is decided here: the keepers refuse what would lose acknowledged writes, and say why.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from bastide.products.mariadb import paths
from bastide.project.members import Members, database_members, find_primary
from bastide.project.target import Target
from bastide.spec.failover import is_automatic
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import root_argv

_PATIENCE_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One database host."""

    host: str
    role: str
    """primary, replica, or nothing where its keeper does not answer."""
    state: str
    message: str
    sync: bool
    """The primary itself, or a standby that holds every acknowledged write."""
    lag_s: float | None
    position: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseState:
    """The whole."""

    mode: str
    failover: str
    primary: str | None
    epoch: int
    paused: bool
    held_s: float
    """So much longer an automatic takeover waits, for the last one was not long ago (`failover_hold`)."""
    members: tuple[Member, ...]

    def to_json(self) -> dict[str, Any]:
        """`bastide db status --json`; keys, once published, stay."""
        return {
            "version": 1,
            "mode": self.mode,
            "failover": self.failover,
            "primary": self.primary,
            "epoch": self.epoch,
            "paused": self.paused,
            "held_s": self.held_s,
            "members": [
                {
                    "host": member.host,
                    "role": member.role or None,
                    "state": member.state,
                    "message": member.message,
                    "sync": member.sync,
                    "lag_s": member.lag_s,
                    "position": member.position,
                }
                for member in self.members
            ],
        }


class OrderRefused(Exception):
    """A keeper refused, or could not be asked. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "bastide db status") -> None:
        self.hint = hint
        super().__init__(message)


def observe_database(target: Target, members: Members | None = None) -> DatabaseState | None:
    """Ask every database host; None where the spec has no database. `members`: what they said just now."""
    database = target.spec.database
    if database is None:
        return None
    answers = database_members(target, resolve_topology(target.spec)) if members is None else members
    primary = find_primary(answers)
    said = answers.get(primary or "") or {}
    seats = [seat for answer in answers.values() if answer and (seat := answer.get("seat"))]
    seat = max(seats, key=lambda s: int(s["epoch"]), default=None)
    # By each keeper's own clock, since it saw that epoch begin.
    held = [float(s.get("held_s") or 0) for s in seats if seat is not None and s["epoch"] == seat["epoch"]]
    standby = seat["standby"] if seat else None
    manual = primary if said.get("semi_sync") and not seat else None
    return DatabaseState(
        mode=database.mode,
        failover="automatic" if is_automatic(target.spec) else "manual",
        primary=primary if said.get("read_only") is False else None,
        epoch=int(seat["epoch"]) if seat else int(said.get("epoch") or 0),
        paused=bool(seat and seat["paused"]),
        held_s=max(held, default=0.0),
        members=tuple(_member(host, answers, primary, standby, manual) for host in answers),
    )


def _member(host: str, answers: Members, primary: str | None, standby: str | None, manual: str | None) -> Member:
    said = answers[host]
    if said is None:
        return Member(
            host=host,
            role="",
            state="silent",
            message="its keeper does not answer",
            sync=False,
            lag_s=None,
            position=None,
        )
    follows = manual is not None and said.get("primary") == manual and said.get("state") == "running"
    return Member(
        host=host,
        role=str(said.get("role") or ""),
        state=str(said.get("state")),
        message=str(said.get("message")),
        sync=host in (primary, standby) or follows,
        lag_s=0.0 if host == primary else said.get("lag_s"),
        position=said.get("gtid_binlog_pos"),
    )


def give_order(target: Target, host: str, order: str) -> str:
    """Have one keeper do something; what came of it. Raises OrderRefused."""
    command = ["/usr/bin/python3", "-I", paths.KEEPER_PROGRAM, "ctl", paths.CONTROL_SOCKET, order]
    try:
        done = subprocess.run(
            root_argv(target.endpoint(host), command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as late:
        raise OrderRefused(f"{host} did not answer within {_PATIENCE_S} s") from late
    except ValueError as broken:
        raise OrderRefused(f"{host}: {done.stderr.strip()[-300:] or 'no answer'}", "bastide status") from broken
    if not answer["done"]:
        raise OrderRefused(f"{host}: {answer['message']}")
    return str(answer["message"])
