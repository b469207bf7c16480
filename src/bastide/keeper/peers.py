"""What the other keepers say, asked all the time beside the loop, so that a dead peer never delays it.

In: Settings. Out: `Peer` facts from answers no older than FRESH_S.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from urllib.parse import quote

from bastide.keeper.clock import STALE_S, now_s
from bastide.keeper.facts import Peer
from bastide.keeper.settings import PeerSettings, Settings

ASK_EVERY_S = 0.5
FRESH_S = 3.0
TIMEOUT_S = 2.0
LARGEST = 1 << 16


class UnixHttpConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class PeerWatch:
    """One thread a peer; `latest` never blocks."""

    def __init__(self, settings: Settings, every_s: float = ASK_EVERY_S) -> None:
        self._settings = settings
        self._every_s = every_s
        self._answers: dict[str, tuple[float, Peer]] = {}
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to ask."""
        for peer in self._settings.peers:
            threading.Thread(target=self._watch, args=(peer,), name=f"peer-{peer.host}", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def latest(self) -> tuple[Peer, ...]:
        """Each peer's state, in spec order."""
        now = time.monotonic()
        found = []
        for settings in self._settings.peers:
            at, peer = self._answers.get(settings.host, (float("-inf"), None))
            if peer is None or now - at > FRESH_S:
                peer = Peer(host=settings.host, source=self._settings.primary_host(settings), answered=False)
            found.append(peer)
        return tuple(found)

    def _watch(self, peer: PeerSettings) -> None:
        while not self._stop.wait(self._every_s):
            answer = ask(self._settings, peer)
            if answer is not None:
                self._answers[peer.host] = (time.monotonic(), answer)


def ask_applied(peer: PeerSettings, gtid: str) -> str:
    """What a peer has applied, once it has that position or has waited for it; empty where it does not say."""
    connection = UnixHttpConnection(peer.status_socket, TIMEOUT_S)
    try:
        connection.request("GET", f"/applied?gtid={quote(gtid)}")
        response = connection.getresponse()
        plain = json.loads(response.read(LARGEST))
        return str(plain["gtid_slave_pos"]) if response.status == 200 and plain["host"] == peer.host else ""
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        connection.close()


def ask_promise(peer: PeerSettings, host: str, epoch: int, within_s: float) -> bool:
    """Whether a peer promises that host, the primary of that epoch, to take nothing for SILENCE_S."""
    connection = UnixHttpConnection(peer.status_socket, within_s)
    try:
        connection.request("GET", f"/promise?holder={quote(host)}&epoch={epoch}")
        response = connection.getresponse()
        plain = json.loads(response.read(LARGEST))
        return response.status == 200 and plain["host"] == peer.host and plain["promised"] == [host, epoch]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()


def ask(settings: Settings, peer: PeerSettings) -> Peer | None:
    """A peer's status; None if it does not give one."""
    connection, asked_s = UnixHttpConnection(peer.status_socket, TIMEOUT_S), now_s()
    try:
        connection.request("GET", "/status")
        response = connection.getresponse()
        body = response.read(LARGEST)
        plain = json.loads(body) if response.status == 200 else None
        if not isinstance(plain, dict) or plain.get("host") != peer.host:
            return None
        return Peer(
            host=peer.host,
            source=settings.primary_host(peer),
            answered=True,
            role=plain["role"],
            epoch=int(plain["epoch"]),
            state=str(plain["state"]),
            follows_us=plain["primary"] == settings.host and plain["role"] == "replica",
            gtid_binlog_state=None if plain["gtid_binlog_state"] is None else str(plain["gtid_binlog_state"]),
            gtid_slave_pos=str(plain["gtid_slave_pos"] or ""),
            gtid_io_pos=str(plain["gtid_io_pos"] or ""),
            session=str(plain.get("session") or ""),
            synced=bool(plain.get("synced", True)),
            copy_bytes=int(plain.get("copy_bytes") or 0),
            room_bytes=int(plain.get("room_bytes") or 0),
            # A keeper that waits for etcd goes on to say what it saw before. An older one does not say when.
            seen_s=asked_s - float(plain.get("age_s", STALE_S)),
        )
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
