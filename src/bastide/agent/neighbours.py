"""What the services beside the agent say of themselves: HAProxy, the keeper, the firewall.

In: HAProxy's read-only socket, the keeper's status socket (which asks MariaDB once a second anyway), the file of the
firewall's counters. Out: gauges and counters for the frame.
Holds: called in a thread of its own, never by who counts; a service that does not answer is left out of the frame.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from pathlib import Path

from bastide.agent.http import get_local
from bastide.agent.settings import Settings

_ASK_S = 1.0


class Neighbours:
    """The latest answers."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._latest: tuple[dict[str, float], dict[str, int]] = ({}, {})
        self._dropped: tuple[int, dict[str, int]] = (0, {})
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to ask, in a thread, where there is anybody to ask."""
        some = self._settings
        if some.haproxy_socket or some.keeper_socket or some.firewall_counters:
            threading.Thread(target=self._run, name="neighbours", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()

    def latest(self) -> tuple[dict[str, float], dict[str, int]]:
        """Gauges and counters."""
        return self._latest

    def _run(self) -> None:
        while not self._stopped.wait(_ASK_S):
            self.look()

    def look(self) -> None:
        """Ask everybody once."""
        gauges: dict[str, float] = {}
        counters: dict[str, int] = {}
        some = self._settings
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if some.haproxy_socket:
                gauges["sessions"], counters["edge_lost_lines"] = read_haproxy(some.haproxy_socket)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if some.keeper_socket:
                role, queries = read_keeper(get_local(some.keeper_socket, "/status"))
                gauges |= role
                counters |= queries
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if some.firewall_counters:
                counters |= self._firewall(some.firewall_counters)
        self._latest = (gauges, counters)

    def _firewall(self, path: str) -> dict[str, int]:
        """The file is written anew every ten seconds; while it is being written the numbers are those of before."""
        written_ns = os.stat(path).st_mtime_ns  # noqa: PTH116 (each second: a Path costs as much as the call)
        if written_ns != self._dropped[0]:
            with contextlib.suppress(ValueError):
                self._dropped = (written_ns, read_firewall(Path(path).read_bytes()))
        return self._dropped[1]


def read_haproxy(path: str) -> tuple[float, int]:
    """Open sessions, and log lines that HAProxy says it could not write. Raises OSError, KeyError, ValueError."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(1.0)
        connected.connect(path)
        connected.sendall(b"show info\n")
        answer = b""
        while received := connected.recv(16384):
            answer += received
            if len(answer) > 1 << 20:
                raise ValueError("too long an answer")
    found = dict(line.partition(": ")[::2] for line in answer.decode("ascii", "replace").splitlines())
    return float(found["CurrConns"]), int(found.get("DroppedLogs", 0))


def read_keeper(body: bytes) -> tuple[dict[str, float], dict[str, int]]:
    """Role and lag; statements since the server's start. Raises KeyError, ValueError, TypeError."""
    status = json.loads(body)
    gauges: dict[str, float] = {}
    if status["role"] in ("primary", "replica"):
        gauges["database_role"] = float(status["role"] == "primary")
    if status.get("lag_s") is not None:
        gauges["database_lag_s"] = float(status["lag_s"])
    queries = status.get("queries")
    return gauges, {} if queries is None else {"queries|database": int(queries)}


def read_firewall(body: bytes) -> dict[str, int]:
    """Packets that the walls dropped, from `nft -j list counters`. Raises ValueError, KeyError, TypeError."""
    packets = {
        item["counter"]["name"]: int(item["counter"]["packets"])
        for item in json.loads(body)["nftables"]
        if "counter" in item
    }
    found = {}
    for direction, names in (("in", ("dropped_in", "dropped_spoofed")), ("out", ("dropped_out",))):
        if packets.keys() & set(names):
            found[f"dropped_packets|{direction}"] = sum(packets.get(name, 0) for name in names)
    return found
