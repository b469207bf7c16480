"""What a keeper with automatic failover says: JSON for people and peers, 200 or 503 for balancers, metrics.

In: the latest `SeatView`. Out: answers to `/primary`, `/replica`, `/ready`, `/status`,
`/applied?gtid=…` (waits for it), `/promise?holder=…&epoch=…` (to another database's keeper, by the proxy's leave).
Holds: `/primary` is 200 only while the lease runs at the moment of the answer, whatever the loop last saw.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from bastide.keeper.actions import Decision
from bastide.keeper.challenge import held_s
from bastide.keeper.clock import STALE_S, now_s
from bastide.keeper.facts import Look, Progress, Server
from bastide.keeper.gtid import parse_gtids
from bastide.keeper.lease import Known
from bastide.keeper.server import ServerError
from bastide.keeper.settings import Settings

APPLIED = "/applied?gtid="
PROMISE = "/promise?holder="
KEPT_S = 2.0
"""One query may fail without the role being doubted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatView:
    """The latest round."""

    look: Look
    decision: Decision
    progress: Progress
    known: Known
    copy_bytes: int = 0


class Board:
    """Answers from memory, but for one."""

    def __init__(
        self, settings: Settings, applied: Callable[[str], Server | None], promise: Callable[[str, int], bool]
    ) -> None:
        self._settings, self._applied, self._promise = settings, applied, promise
        self.view: SeatView | None = None
        self.closing = False
        """This primary hands over: it is none any more for whoever asks."""
        self._seen: SeatView | None = None
        """The latest in which the server answered."""
        self._ended_s = float("-inf")
        self._lock = threading.RLock()

    def put(self, view: SeatView) -> None:
        """Replace what is said."""
        with self._lock:
            self._put(_without_server(view) if view.look.seen_s < self._ended_s else view)

    def _put(self, view: SeatView) -> None:
        if view.look.server is not None:
            self._seen = view
        elif not view.look.process:
            self._seen = None
        self.view = view

    def server_ended(self) -> None:
        """What the loop saw of the server is no more, and its next look may wait for an answer of etcd's."""
        with self._lock:
            self._ended_s = now_s()
            if self.view is not None:
                self.put(self.view)

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status code and JSON for a path."""
        view, now = self.view, now_s()
        if path.startswith(APPLIED):
            return self._await_applied(path.removeprefix(APPLIED))
        if path.startswith(PROMISE):
            return self._give_promise(path.removeprefix(PROMISE))
        if view is None or now - view.look.now_s > STALE_S:
            return 503, {"version": 1, "host": self._settings.host, "message": "the keeper's loop is stuck"}
        if path == "/status":
            return 200, describe_seat(self._settings, view)
        good = {"/primary": self._primary, "/replica": self._replica, "/ready": self._ready}.get(path)
        if good is None:
            return 404, {"message": "/primary, /replica, /ready or /status"}
        return (200 if good(view, now) else 503), {"state": view.decision.state, "message": view.decision.message}

    def _await_applied(self, gtid: str) -> tuple[int, dict[str, Any]]:
        """The one answer that asks the server: a switchover waits for it, and a look of before is of no use."""
        try:
            parse_gtids(unquote(gtid))
            server = self._applied(unquote(gtid))
        except (ValueError, ServerError) as error:
            return 503, {"message": str(error)}
        replication = server.replication if server else None
        return 200, {
            "version": 1,
            "host": self._settings.host,
            "gtid_slave_pos": server.gtid_slave_pos if server else "",
            "gtid_io_pos": replication.gtid_io_pos if replication else "",
        }

    def _give_promise(self, query: str) -> tuple[int, dict[str, Any]]:
        """What was promised is repeated: an answer to another question is worth nothing."""
        holder, _, epoch = query.partition("&epoch=")
        try:
            asked = unquote(holder), int(epoch)
            given = (
                self._settings.failover is not None and self._settings.failover.failsafe and self._promise(*asked)
            )
        except ValueError as error:
            return 400, {"message": str(error)}
        return (200 if given else 409), {
            "version": 1,
            "host": self._settings.host,
            "promised": list(asked) if given else None,
        }

    def _primary(self, view: SeatView, now: float) -> bool:
        seat, seen = view.known.seat, self._seen
        return (
            not self.closing
            and seat is not None
            and seat.phase == "open"
            and seat.holder == self._settings.host
            and now < view.known.deadline_s
            and view.progress.opened_s is not None
            and seen is not None
            and now - seen.look.now_s <= KEPT_S
            and seen.look.server is not None
            and not seen.look.server.read_only
        )

    def _replica(self, view: SeatView, now: float) -> bool:
        look = view.look
        if look.record is None or look.record.role != "replica" or look.server is None:
            return False
        replication = look.server.replication
        if replication is None:
            return False
        if replication.streaming:
            return replication.lag_s is not None and replication.lag_s <= self._settings.max_replica_lag_s
        streamed = view.progress.streamed_s
        return streamed is not None and now - streamed <= self._settings.max_replica_lag_s

    def _ready(self, view: SeatView, now: float) -> bool:
        look = view.look
        replica = view.decision.state == "running" and look.server is not None and look.server.read_only
        return replica or self._primary(view, now)


def _without_server(view: SeatView) -> SeatView:
    """The same, if its server has died since."""
    decision = view.decision
    if decision.state == "running":
        decision = Decision(state="starting", message="the server ended")
    return replace(view, look=replace(view.look, process=False, server=None), decision=decision)


def describe_seat(settings: Settings, view: SeatView) -> dict[str, Any]:
    """The JSON of `/status`; keys stay once published."""
    look, seat = view.look, view.known.seat
    server = look.server
    replication = server.replication if server else None
    role = look.record.role if look.record else None
    mine = seat is not None and seat.owner == settings.host
    # A host whose record is behind says what the seat says.
    role = (
        "replica" if role == "primary" and seat is not None and not mine else "primary" if mine and role else role
    )
    peer = settings.peers[0] if settings.peers else None
    follows = peer is not None and replication is not None and replication.source == settings.primary_host(peer)
    standby = seat.standby if seat else None
    return {
        "version": 1,
        "host": settings.host,
        "mode": settings.mode,
        "failover": "automatic",
        "role": role,
        "epoch": seat.epoch if seat and mine else look.record.epoch if look.record else 0,
        "state": view.decision.state,
        "message": view.decision.message,
        "initialised": look.data == "ours",
        "read_only": server.read_only if server else None,
        "primary": settings.host if role == "primary" else peer.host if follows and peer else None,
        "primary_address": peer.address if follows and peer and role != "primary" else None,
        "lag_s": replication.lag_s if replication else None,
        "semi_sync": server.semi_sync if server else False,
        "sync_clients": server.sync_clients if server else 0,
        "alone": mine and standby is None,
        "acknowledged": server.acknowledged if server else 0,
        "unacknowledged": server.unacknowledged if server else 0,
        "queries": server.queries if server else None,
        "gtid_binlog_pos": server.gtid_binlog_pos if server else None,
        "gtid_binlog_state": server.gtid_binlog_state if server else None,
        "gtid_slave_pos": server.gtid_slave_pos if server else None,
        "gtid_io_pos": replication.gtid_io_pos if replication else None,
        "copy_bytes": view.copy_bytes,
        "room_bytes": look.room_bytes,
        "synced": server.relay_synced if server else False,
        "session": look.session if replication is not None and replication.streaming else "",
        "age_s": now_s() - look.seen_s,
        "seat": {
            "register": view.known.register,
            "epoch": seat.epoch,
            "phase": seat.phase,
            "holder": seat.holder,
            "owner": seat.owner,
            "standby": standby.host if standby else None,
            "paused": seat.paused,
            "flaps": seat.flaps,
            "held_s": round(held_s(seat, look.hold_s, now_s() - view.known.epoch_s), 1),
        }
        if seat
        else None,
        "peers": {look.peer.host: look.peer.answered} if look.peer.host else {},
    }
