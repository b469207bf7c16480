"""Draining this host's own application: new requests are sent elsewhere, running ones are brought to their end.

A flag file makes nginx answer, before anything runs, that the application was never reached; who asked then asks
another host. In: units of a manifest that name a flag and the sockets that the application listens on. Out: nothing.
Holds: flags lie in /run and are lifted by whoever ends an activation, rolls one back, or boots; no controller is
needed for that.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bastide.host.machine import Machine
from bastide.host.manifest import UnitEntry
from bastide.host.stage import Tell

FOLDER = "/run/bastide/drain"
_PAUSE_S = 0.05
_LISTENING = 0x10000
"""The flag of a listening socket in /proc/net/unix."""
_ESTABLISHED = "01"


def drain_unit(machine: Machine, unit: UnitEntry, wait_s: float, tell: Tell) -> None:
    """Before the unit restarts: no new requests, and those that run may end, if they do so in time."""
    flag = unit.get("drain_flag", "")
    if not flag:
        return
    path = machine.path(flag)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in (path.parent, path.parent.parent):
            folder.chmod(0o755)  # nginx looks in here, whatever the umask is
        path.touch()
        path.chmod(0o644)
    left = _await_idle(machine, unit.get("drains", []), wait_s)
    tell("drained", name=unit["name"], left=left)


def lift_drains(machine: Machine) -> None:
    """Take new requests again; harmless when nothing is drained."""
    shutil.rmtree(machine.path(FOLDER), ignore_errors=True)


def _await_idle(machine: Machine, sockets: list[str], wait_s: float) -> int:
    """Wait until two looks find no connection; returns how many are left."""
    end, quiet = time.monotonic() + wait_s, 0
    while True:
        count = sum(_connections(machine, socket) for socket in sockets)
        quiet = quiet + 1 if count == 0 else 0
        if quiet == 2 or time.monotonic() >= end:
            return count
        time.sleep(_PAUSE_S)


def _connections(machine: Machine, socket: str) -> int:
    if socket.startswith("/"):
        return _unix_connections(machine.path("/proc/net/unix"), socket)
    port = int(socket.rpartition(":")[2])
    tables = [path for name in ("tcp", "tcp6") if (path := machine.path(f"/proc/net/{name}")).exists()]
    return sum(_tcp_connections(table, port) for table in tables)


def _unix_connections(table: Path, name: str) -> int:
    """Accepted connections and those that wait to be; each stands under the name of its listener."""
    rows = [line.split() for line in table.read_text(errors="replace").splitlines()[1:]]
    return sum(len(row) == 8 and row[7] == name and not int(row[3], 16) & _LISTENING for row in rows)


def _tcp_connections(table: Path, port: int) -> int:
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return sum(row[3] == _ESTABLISHED and int(row[1].rpartition(":")[2], 16) == port for row in rows)
