"""An infrastructure that exists only as frames: the real hub, told by scripted agents, behind a door for browsers.

In: a layout. Out: `Town`: its hub's address, and things that can happen to its hosts.
Holds: the browser talks to the hub's own program; nothing of what it shows is made up on the way.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bastide.draw.picture import derive_picture
from bastide.draw.svg import render_svg
from bastide.hub.settings import HostSettings
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology
from tests.ports import free_port
from tests.unit.hub.kit import RunningHub, UnixConnection, event, log, make_settings, write_settings
from tests.unit.specs import RESILIENT, make_spec

REQUESTS_A_SECOND = 480.0
_BUCKETS = {"5": 0.55, "10": 0.8, "25": 0.95, "50": 0.99, "100": 1.0, "+Inf": 1.0}
_SERVICE = {"balancer": "edge", "web": "web", "app": "app", "database": "database"}


@dataclass
class Town:
    """Everything that the browser sees."""

    hub: RunningHub
    topology: Topology
    door: Door
    alertmanager: Alertmanager
    silent: set[str] = field(default_factory=set)
    vip: str = "lb1"
    primary: str = "db1"
    errors: float = 0.0
    """Share of requests that fail."""
    dropping: float = 0.0
    """Packets a second that lb1's wall turns away."""
    _counters: dict[str, dict[str, float]] = field(default_factory=dict)
    _sequences: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _agents: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._kept = UnixConnection(self.hub.settings.socket)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.door.port}/"

    def begin(self, seconds_ago: int = 0) -> None:
        """Agents speak; so many seconds of the past are told first."""
        t, told = time.time() - seconds_ago, 0
        while seconds_ago and t < time.time() - 1:
            self._speak(t)
            t, told = t + 1, told + 1
            # The hub takes bursts of this size, and a few a second from then on.
            if told > 25:
                time.sleep(0.22)
        self._agents = threading.Thread(target=self._run)
        self._agents.start()

    def end(self) -> None:
        self._over.set()
        if self._agents:
            self._agents.join(timeout=20)
        self._kept.close()
        self.door.close()
        self.alertmanager.close()
        self.hub.kill()

    def login_url(self, role: str = "operator") -> str:
        """As `bastide dashboard` opens it."""
        token = json.loads(self.hub.run("token", role).stdout)["token"]
        return f"{self.url}#login={token}"

    def tell(self, host: str, *records: dict[str, Any]) -> None:
        """Ship logs or events of a host; they are numbered here."""
        first = self._sequences.get(host, 0) + 1
        numbered = [record | {"seq": first + index} for index, record in enumerate(records)]
        self._sequences[host] = first + len(records) - 1
        assert self.hub.records(host, numbered).status == 200

    def happened(
        self, host: str, kind: str, message: str, *, ago: float = 0.0, priority: int = 5, **more: Any
    ) -> None:
        self.tell(host, event(0, kind, message, t=time.time() - ago, **more) | {"priority": priority})

    def logged(self, host: str, unit: str, message: str, *, ago: float = 0.0, priority: int = 6) -> None:
        self.tell(
            host,
            log(0, message, t=time.time() - ago) | {"unit": unit, "priority": priority, "t": time.time() - ago},
        )

    def _run(self) -> None:
        while not self._over.wait(1.0):
            with suppress(OSError):
                self._speak(time.time())

    def _speak(self, t: float) -> None:
        for name, host in self.topology.hosts.items():
            if name in self.silent:
                continue
            counters = self._count(name, host.roles, t)
            gauges = self._gauges(name, host.roles, t)
            self._send(name, t, counters, gauges)

    def _send(self, name: str, t: float, counters: Mapping[str, float], gauges: Mapping[str, float]) -> None:
        """On a kept connection, as from nginx; made anew when it broke."""
        frame = {"host": name, "t": t, "seq": int(t * 1000), "gauges": gauges, "counters": counters}
        try:
            self._kept.request("POST", "/hub/v1/frames", json.dumps(frame), {"X-Bastide-Peer": name})
            self._kept.getresponse().read()
        except (OSError, HTTPException):
            self._kept.close()

    def _count(self, name: str, roles: Sequence[str], t: float) -> Mapping[str, float]:
        counters = self._counters.setdefault(name, {"dropped_packets|in": 0.0, "dropped_packets|out": 0.0})
        if name == "lb1":
            counters["dropped_packets|in"] += self.dropping
        for role in roles:
            if role not in _SERVICE:
                continue
            done = (
                self._share(name, role) * REQUESTS_A_SECOND * (1 + 0.18 * math.sin(t / 17) + 0.07 * math.sin(t / 3))
            )
            if role == "database":
                counters["queries|database"] = counters.get("queries|database", 0.0) + done * 3
                continue
            for route, part in (("shop", 0.8), ("api", 0.2)):
                self._add(counters, _SERVICE[role], route, done * part)
        return counters

    def _add(self, counters: dict[str, float], service: str, route: str, done: float) -> None:
        for status, share in (("2xx", 1 - self.errors), ("5xx", self.errors)):
            key = f"requests|{service}|{route}|{status}"
            counters[key] = counters.get(key, 0.0) + done * share
        for bound, share in _BUCKETS.items():
            key = f"latency|{service}|{route}|{bound}"
            counters[key] = counters.get(key, 0.0) + done * share

    def _share(self, name: str, role: str) -> float:
        """What part of all requests reaches a host."""
        if role == "balancer":
            return float(name == self.vip)
        if role == "database":
            return 0.75 if name == self.primary else 0.25
        alive = [
            host.name
            for host in self.topology.hosts.values()
            if role in host.roles and host.name not in self.silent
        ]
        return 1 / len(alive) if name in alive else 0.0

    def _gauges(self, name: str, roles: Sequence[str], t: float) -> dict[str, float]:
        seed = sum(map(ord, name))
        gauges = {
            "cpu": 0.18 + 0.08 * math.sin(t / 11 + seed) + (0.2 if "app" in roles else 0.0),
            "memory": 0.35 + seed % 20 / 100, "disk": 0.22 + seed % 7 / 50, "load1": 0.4,
            "net_in": 2.1e6 + 4e5 * math.sin(t / 7 + seed), "net_out": 3.4e6, "connections": 40.0 + seed % 50,
        }  # fmt: skip
        if "balancer" in roles:
            gauges["vip"] = float(name == self.vip)
        if "database" in roles:
            gauges["database_role"] = float(name == self.primary)
            if name != self.primary:
                gauges["database_lag_s"] = 0.2
        return gauges


def found_town(folder: Path, layout: Mapping[str, Sequence[str]] = RESILIENT, **sections: Any) -> Town:
    """A running hub with its door and its Alertmanager; agents are silent until `begin`."""
    topology = resolve_topology(make_spec(layout, **sections))
    alertmanager = Alertmanager()
    hosts = {
        host.name: HostSettings(name=host.name, roles=tuple(host.roles), address=str(host.private), services=())
        for host in topology.hosts.values()
    }
    flows = tuple({"name": flow.name, "why": flow.why} for flow in topology.flows)
    settings = make_settings(
        folder,
        hosts=hosts,
        flows=flows,
        virtual_ip=None if topology.virtual_ip is None else str(topology.virtual_ip),
        alertmanager=f"http://127.0.0.1:{alertmanager.port}",
        metrics_port=free_port(),
    )
    Path(settings.picture).write_text(
        render_svg(derive_picture(topology), theme="auto", live=True), encoding="utf-8"
    )
    hub = RunningHub(settings=settings, file=write_settings(settings, folder))
    hub.start()
    return Town(hub=hub, topology=topology, door=Door(settings.socket), alertmanager=alertmanager)


class Door:
    """What nginx is on a monitor: a port in front of the hub's socket. It can be shut."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.shut = False
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def slam(self) -> None:
        """Cut every connection, and accept none any more."""
        self.shut = True
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.slam()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.shut:
                client.close()
                continue
            inside = socket.socket(socket.AF_UNIX)
            try:
                inside.connect(self._path)
            except OSError:
                client.close()
                inside.close()
                continue
            self._open |= {client, inside}
            for one, other in ((client, inside), (inside, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while part := one.recv(65536):
                other.sendall(part)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.discard(one)
        with closing(one):
            pass


class Alertmanager:
    """As much of one as the hub asks."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.silences: list[dict[str, Any]] = []
        parent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(parent.alerts if self.path == "/api/v2/alerts" else parent.silences)

            def do_POST(self) -> None:
                parent.silences.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                for alert in parent.alerts:
                    alert["status"]["state"] = "suppressed"
                self._answer({"silenceID": str(len(parent.silences))})

            def _answer(self, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def fire(self, name: str, host: str, summary: str, *, severity: str = "page", ago: float = 90.0) -> None:
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))
        self.alerts.append(
            {
                "fingerprint": f"{name}-{host}",
                "labels": {"alertname": name, "severity": severity, "host": host},
                "annotations": {"summary": summary},
                "status": {"state": "active"},
                "startsAt": began,
            }
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
