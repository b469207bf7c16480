"""What this keeper says: JSON for people and peers, 200 or 503 for balancers.

In: the loop's latest look and decision (`View`). Out: answers on a unix socket.
`/primary` 200: takes writes. `/replica` 200: replicates, and is fresh enough for reads. `/ready` 200: either role
is established. `/status`: everything, as JSON.
Holds: an answer is given from memory, never from a query; one that is too old is a 503.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from bastide.keeper.actions import Decision
from bastide.keeper.clock import STALE_S
from bastide.keeper.facts import Memory, Observation
from bastide.keeper.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The latest round."""

    seen: Observation
    memory: Memory
    decision: Decision
    failed: bool = False
    """One of the decision's actions failed."""


def is_primary(view: View) -> bool:
    """Takes writes, as last seen."""
    record, server = view.seen.record, view.seen.server
    return (
        view.decision.state == "running"
        and record is not None
        and record.role == "primary"
        and server is not None
        and not server.read_only
    )


def is_fresh_replica(view: View, max_lag_s: float, now_s: float) -> bool:
    """Replicates with no more lag than allowed. After its primary is lost it stays fresh for that long."""
    record, server = view.seen.record, view.seen.server
    if record is None or record.role != "replica" or server is None or server.replication is None:
        return False
    if view.decision.state == "running":
        return server.replication.lag_s is not None and server.replication.lag_s <= max_lag_s
    if view.decision.state != "waiting-for-primary" or view.memory.streamed_s is None:
        return False
    return now_s - view.memory.streamed_s <= max_lag_s


def describe(settings: Settings, view: View) -> dict[str, Any]:
    """The JSON of `/status`; keys stay once published."""
    seen, server = view.seen, view.seen.server
    replication = server.replication if server else None
    role = seen.record.role if seen.record else None
    by_source = {settings.primary_host(p): p for p in settings.peers}
    following = by_source.get(replication.source) if replication and role == "replica" else None
    return {
        "version": 1,
        "host": settings.host,
        "mode": settings.mode,
        "role": role,
        "epoch": seen.record.epoch if seen.record else 0,
        "state": view.decision.state,
        "message": view.decision.message,
        "initialised": seen.data == "ours",
        "read_only": server.read_only if server else None,
        "primary": settings.host if role == "primary" else following.host if following else None,
        "primary_address": following.address if following else None,
        "lag_s": replication.lag_s if replication else None,
        "semi_sync": server.semi_sync if server else False,
        "sync_clients": server.sync_clients if server else 0,
        "alone": role == "primary" and bool(settings.peers) and server is not None and not server.semi_sync,
        "acknowledged": server.acknowledged if server else 0,
        "unacknowledged": server.unacknowledged if server else 0,
        "queries": server.queries if server else None,
        "gtid_binlog_pos": server.gtid_binlog_pos if server else None,
        "gtid_binlog_state": server.gtid_binlog_state if server else None,
        "gtid_slave_pos": server.gtid_slave_pos if server else None,
        "gtid_io_pos": replication.gtid_io_pos if replication else None,
        "peers": {p.host: p.answered for p in seen.peers},
    }


class StatusServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves the latest view, and nothing before the first: a restarted keeper answers late, not wrong."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        answer: Callable[[str], tuple[int, dict[str, Any]]] | None = None,
    ) -> None:
        super().__init__(settings.status_socket, _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._settings = settings
        self._view: View | None = None
        self._serving = False
        if answer is not None:
            self.answer = answer  # type: ignore[method-assign,assignment]

    def begin(self) -> None:
        """Serve from now on."""
        if not self._serving:
            self._serving = True
            threading.Thread(target=self.serve_forever, name="status", daemon=True).start()

    def publish(self, view: View) -> None:
        """Replace what is said; the first call begins to serve."""
        self._view = view
        self.begin()

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status code and JSON for a path."""
        view, now = self._view, time.monotonic()
        if view is None or now - view.seen.now_s > STALE_S:
            return 503, {"version": 1, "host": self._settings.host, "message": "the keeper's loop is stuck"}
        if path == "/status":
            return 200, describe(self._settings, view)
        good = {
            "/primary": lambda: is_primary(view),
            "/replica": lambda: is_fresh_replica(view, self._settings.max_replica_lag_s, now),
            "/ready": lambda: (
                is_primary(view)
                or (
                    view.decision.state == "running" and view.seen.server is not None and view.seen.server.read_only
                )
            ),
        }.get(path)
        if good is None:
            return 404, {"message": "/primary, /replica, /ready or /status"}
        return (200 if good() else 503), {"state": view.decision.state, "message": view.decision.message}


class _Handler(BaseHTTPRequestHandler):
    server: StatusServer
    timeout = 5

    def do_GET(self) -> None:
        code, plain = self.server.answer(self.path)
        body = json.dumps(plain).encode() + b"\n"
        # A check that ran out of patience is told apart by who asked; it is no fault of ours, and fills no journal.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Two balancers ask twice a second: not worth a line each."""
