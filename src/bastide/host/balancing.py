"""Taking servers out of a running HAProxy's turn, and back, over its runtime socket.

In: the socket's path, the backend's and the servers' names. Out: states. Raises Failure.
Holds: a drained server comes back by itself, whoever dies: with the conversation that drained it, or by a timer on
this host (`LEASE_S`), or with HAProxy's next reload, which forgets what was set at run time. A server is not drained
when no other would be left.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastide.host.errors import Failure
from bastide.host.machine import Machine

LEASE_S = 300.0
_UP = 2
_ADMIN_FLAGS = 0x01 | 0x08
"""Maintenance or drain, set by somebody."""
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Server:
    """One server of a backend, as HAProxy sees it."""

    name: str
    up: bool
    admin: int
    sessions: int

    @property
    def serving(self) -> bool:
        """Whether it gets requests."""
        return self.up and not self.admin & _ADMIN_FLAGS


@dataclass(frozen=True)
class Runtime:
    """One HAProxy."""

    machine: Machine
    path: str
    backend: str

    def servers(self) -> dict[str, Server]:
        """All servers of the backend."""
        states = _table(self._say(f"show servers state {self.backend}"), " ", skip=1)
        stats = _table(self._say("show stat"), ",", skip=0)
        sessions = {
            row["svname"]: int(row["scur"] or 0) + int(row.get("qcur") or 0)
            for row in stats
            if row.get("pxname") == self.backend
        }
        return {
            row["srv_name"]: Server(
                name=row["srv_name"],
                up=int(row["srv_op_state"]) == _UP,
                admin=int(row["srv_admin_state"]),
                sessions=sessions.get(row["srv_name"], 0),
            )
            for row in states
        }

    def set_state(self, server: str, state: str) -> None:
        """`drain` or `ready`."""
        said = self._say(f"set server {self.backend}/{server} state {state}").strip()
        if said:
            raise Failure("balancer", f"HAProxy refused to set {server} to {state}: {said}")

    def _say(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as talk:
                talk.settimeout(5.0)
                talk.connect(str(self.machine.path(self.path)))
                talk.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: talk.recv(65536), b"")).decode(errors="replace")
        except OSError as broken:
            raise Failure("balancer", f"HAProxy does not answer on {self.path}: {broken}") from None


def drain_server(runtime: Runtime, server: str, program: Path | None, wait_s: float) -> int:
    """Send it no new requests, and wait for the running ones; returns how many go on."""
    with _alone(runtime.machine):
        found = runtime.servers()
        if server not in found:
            return 0  # this balancer has never heard of it
        others = [s.name for s in found.values() if s.name != server and s.serving]
        if found[server].serving and not others:
            raise Failure(
                "last",
                f"{server} is the only server that gets requests, so it is not taken out of turn",
                hint="Bring another one back first (bastide status), or apply to that one alone: --only HOST.",
            )
        _arm(runtime, server, program)
        runtime.set_state(server, "drain")
    end = time.monotonic() + wait_s
    while (left := runtime.servers()[server].sessions) and time.monotonic() < end:
        time.sleep(_PAUSE_S)
    return left


def undrain_server(runtime: Runtime, server: str, wait_s: float) -> bool:
    """Have it get requests again; whether it is up and does, after at most that long."""
    if server not in runtime.servers():
        return True
    runtime.set_state(server, "ready")
    runtime.machine.run(["systemctl", "stop", "--quiet", f"{_unit(server)}.timer"])
    end = time.monotonic() + wait_s
    while not (serving := runtime.servers()[server].serving) and time.monotonic() < end:
        time.sleep(_PAUSE_S)
    return serving


def _arm(runtime: Runtime, server: str, program: Path | None) -> None:
    """A timer that undrains, for when the conversation and its process end without a word."""
    if program is None:
        return
    unit = _unit(server)
    runtime.machine.run(["systemctl", "stop", "--quiet", f"{unit}.timer"])
    runtime.machine.must_run(
        [
            "systemd-run", "--quiet", f"--unit={unit}", f"--on-active={LEASE_S:g}", "--collect",
            "/usr/bin/python3", "-I", "-S", str(program), "undrain", runtime.path, runtime.backend, server,
        ],
        hint="Without its timer a server is not drained.",
    )  # fmt: skip


def _unit(server: str) -> str:
    return f"bastide-undrain-{server}"


@contextmanager
def _alone(machine: Machine) -> Iterator[None]:
    """Two who drain at the same time must not each count on the other's server."""
    path = machine.path("/run/bastide-drain.lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _table(text: str, separator: str, *, skip: int) -> list[dict[str, str]]:
    """HAProxy's tables: a line of names after `# `, then rows."""
    lines = [line for line in text.splitlines() if line.strip()][skip:]
    if not lines or not lines[0].startswith("# "):
        raise Failure("balancer", "HAProxy did not understand", lines=text.splitlines()[:3])
    names = lines[0][2:].split(separator)
    return [dict(zip(names, line.split(separator), strict=False)) for line in lines[1:]]


def edge_status(machine: Machine, url: str, name: str, port: int) -> int:
    """What this balancer itself answers to a visitor of that URL: an HTTP status, or 0 for no answer."""
    done = machine.run(
        [
            "curl", "--silent", "--insecure", "--output", "/dev/null", "--max-time", "6", "--write-out", "%{http_code}",
            "--resolve", f"{name}:{port}:127.0.0.1", url,
        ]
    )  # fmt: skip
    return int(done.output) if done.output.isdigit() else 0


def ask_servers(machine: Machine, check: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Those of these servers that answer 200 right now, asked from here as HAProxy asks them.

    `check` is what the controller's `describe_check` gives. Who gets no requests need not be asked: a host that is gone
    would be waited for.
    """
    urls = {name: url for name, url in check["urls"].items() if name in names}
    if not urls:
        return []
    argv = ["curl", "--silent", "--http1.1", "--max-time", str(check["within_s"]), "--parallel"]
    for header in check["headers"]:
        argv += ["--header", header]
    for entry in check["resolve"]:
        argv += ["--resolve", entry]
    if check["client"]:
        argv += ["--cacert", check["ca"], "--cert", check["client"]]
    argv += ["--write-out", "%{http_code} %{url_effective}\\n"]
    for url in urls.values():
        argv += ["--output", "/dev/null", url]
    good = {line[4:] for line in machine.run(argv).output.splitlines() if line.startswith("200 ")}
    return [name for name, url in urls.items() if url in good]


def names_of(servers: Collection[Server]) -> list[str]:
    """Those that get requests."""
    return sorted(server.name for server in servers if server.serving)
