"""Orders of the operator: switchover, failover, reinit, pause, resume; and of a drill: unhold.

In: POST on a socket that only root and the keeper can open. Out: what came of it, as JSON.
Holds: an order that would lose acknowledged writes is refused and says why, but for the one that is about that; none
bypasses the rules of `takeover.py`.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from bastide.keeper.clock import now_s
from bastide.keeper.lease import Lease
from bastide.keeper.patience import SILENCE_S
from bastide.keeper.seat import Seat
from bastide.keeper.seating import Board, SeatView
from bastide.keeper.settings import Settings

Order = Literal["switchover", "failover", "reinit", "abandon", ""]
ELECTION_S = 5.0
"""etcd takes nothing while its voters choose a leader: 1.6 s at worst (measured)."""
PATIENCE_S = 20.0
LAG_S = 2.0
SEAT_ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "pause": ({"paused": True}, "automatic failover is paused"),
    # Somebody has looked after it: what came before is no sign that the next takeover would help as little.
    "resume": (
        {"paused": False, "flaps": 0},
        "automatic failover goes on; the next takeover is not held for those before",
    ),
    "unhold": ({"flaps": 0}, "the next takeover is not held for those before"),
}
"""Orders that change what the seat says, and nothing else."""


class Control:
    """Takes orders and waits for their outcome."""

    def __init__(self, settings: Settings, lease: Lease, board: Board, wake: Callable[[], None]) -> None:
        self._settings, self._lease, self._board, self._wake = settings, lease, board, wake
        self._order: Order = ""
        self._until_s = 0.0

    def start(self) -> None:
        """Listen."""
        assert self._settings.failover is not None
        path = self._settings.failover.control_socket
        path.unlink(missing_ok=True)
        server = _Server(str(path), _Handler)
        path.chmod(0o600)
        server.control = self
        threading.Thread(target=server.serve_forever, name="control", daemon=True).start()

    def order(self) -> Order:
        """The order that is to be carried out now."""
        return self._order if now_s() < self._until_s else ""

    def done(self, order: Order) -> None:
        """It was carried out, or failed."""
        if self._order == order:
            self._order = ""

    def take(self, verb: str) -> tuple[bool, str]:
        """Carry out, and say how it ended."""
        if verb in SEAT_ORDERS:
            return self._set(*SEAT_ORDERS[verb])
        if verb not in ("switchover", "failover", "reinit", "abandon"):
            return False, f"no such order: {verb}"
        why = self._objection(verb)
        if why:
            return False, why
        before = self._lease.known().seat
        self._order, self._until_s = verb, now_s() + PATIENCE_S  # type: ignore[assignment]
        self._wake()
        if verb == "reinit":
            return True, "the copy begins; `bastide db status` shows when it is whole"
        pause = threading.Event()
        while now_s() < self._until_s:
            seat = self._lease.known().seat
            if seat is not None and before is not None and seat.owner != before.owner and seat.phase == "open":
                self.done(verb)  # type: ignore[arg-type]
                return True, f"{seat.owner} is the primary now, epoch {seat.epoch}"
            if not self._order:
                view = self._board.view
                return False, f"not done: {view.decision.message if view else 'no answer'}"
            pause.wait(0.05)
        self.done(verb)  # type: ignore[arg-type]
        return False, f"nothing came of it within {PATIENCE_S:g} s; `bastide db status` says how it stands"

    def _set(self, changes: dict[str, Any], outcome: str) -> tuple[bool, str]:
        seat, me = self._lease.known().seat, self._settings.host
        if seat is None:
            return False, "etcd does not answer, or knows nothing of this database"
        if seat.holder != me and not self._is_free(seat):
            return False, f"{me} is not the primary: ask {seat.holder}"
        end, pause = now_s() + ELECTION_S, threading.Event()
        while now_s() < end:
            seat = self._lease.known().seat
            if seat is not None and self._lease.propose(replace(seat, **changes), seat):
                return True, outcome
            pause.wait(0.1)
        return False, "etcd did not take it"

    def _objection(self, verb: str) -> str:
        seat, view, me = self._lease.known().seat, self._board.view, self._settings.host
        if seat is None or view is None:
            return "etcd does not answer, or knows nothing of this database"
        if self._lease.known().vouched:
            return "most voters do not answer: until they do, nobody else can become the primary"
        if verb == "reinit":
            if seat.owner == me:
                return f"{me} is the primary: its data is the only copy that is known to be whole"
            if seat.phase != "open":
                return "there is no open primary to copy"
            return ""
        if verb == "abandon":
            return self._keepable(seat, view)
        if verb == "failover" and seat.holder != me and self._is_free(seat):
            return self._unfit(seat, view.look.session)
        if seat.holder != me or seat.phase != "open":
            return f"{me} is not the primary: ask {seat.holder or 'again when there is one'}"
        if seat.standby is None:
            peer = view.look.peer
            how = (
                "it does not answer"
                if not peer.answered
                else f"it is {peer.state}, and does not acknowledge commits"
            )
            return f"acknowledged writes would be lost: {peer.host} does not stand by ({how})"
        lag = view.look.server.waiting if view.look.server else 0
        if verb == "switchover" and view.look.server is None:
            return "the server does not answer: `bastide db failover` would kill it first"
        if verb == "switchover" and not view.look.peer.answered:
            return f"{seat.standby.host} stands by, but its keeper does not answer here ({lag} commits wait)"
        return ""

    def _is_free(self, seat: Seat) -> bool:
        return seat.phase == "vacant" or now_s() - self._lease.known().changed_s >= SILENCE_S

    def _unfit(self, seat: Seat, session: str) -> str:
        """Why this host may not take the seat of a primary that is gone."""
        me, standby = self._settings.host, seat.standby
        if seat.owner == me or (standby is not None and standby.host == me and standby.session == session):
            return ""
        why = (
            "it restarted since it stood by"
            if standby is not None and standby.host == me
            else "it did not stand by"
        )
        return (
            f"acknowledged writes would be lost: only {seat.owner} has all of them, and {me} may not ({why}). "
            f"Start {seat.owner}; if it is lost for ever, `bastide db abandon {seat.owner}` goes on without it"
        )

    def _keepable(self, seat: Seat, view: SeatView) -> str:
        """Why the owner must not be given up."""
        me, peer, look = self._settings.host, view.look.peer, view.look
        if me in (seat.owner, seat.holder):
            return f"{me} has every acknowledged write: there is nothing to go on without"
        if not self._is_free(seat):
            return f"{seat.holder} holds the seat, and lives"
        if peer.answered:
            return f"the keeper of {peer.host} answers: wait until its server does, or start it"
        if look.data != "ours" or look.record is None or look.server is None:
            return f"there is no data on {me} to go on with, or its server does not run yet"
        if not self._unfit(seat, look.session):
            return f"{me} has every acknowledged write: `bastide db failover` loses nothing"
        return ""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    control: Control


class _Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        done, message = self.server.control.take(self.path.lstrip("/"))
        self._say(200 if done else 409, {"version": 1, "done": done, "message": message})

    def _say(self, code: int, plain: dict[str, Any]) -> None:
        body = json.dumps(plain).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """The loop logs what is done."""
