"""A hub to test against: settings, a real process on unix sockets, agents that speak to it, browsers that ask."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bastide.hub.settings import HostSettings, Settings

SOURCE = Path(__file__).parents[3] / "src"
TOKEN = "t" * 40
HOSTS = {"lb1": ("balancer",), "web1": ("web",), "app1": ("app",), "db1": ("database",), "db2": ("database",)}


def make_settings(state: Path, **changed: Any) -> Settings:
    values: dict[str, Any] = {
        "project": "shop",
        "host": "monitor1",
        "domains": ("shop.test",),
        "url": "https://10.0.0.9:8444/",
        "hosts": {
            name: HostSettings(name=name, roles=roles, address=f"10.0.0.{number}", services=())
            for number, (name, roles) in enumerate(HOSTS.items(), 1)
        },
        "flows": ({"name": "internet-https", "source": "internet", "target": "balancer", "port": 443},),
        "virtual_ip": "198.18.0.5",
        "max_replica_lag_s": 5.0,
        "picture": str(state / "picture.svg"),
        "socket": str(state / "hub.sock"),
        "admin_socket": str(state / "admin.sock"),
        "socket_group": "",
        "metrics_port": 0,
        "prometheus": "http://127.0.0.1:9",
        "alertmanager": "",
        "state": str(state),
        "log_retention_s": 14 * 86400.0,
        "log_retention_bytes": 1 << 30,
        "push_tokens": {"default": TOKEN},
    }
    return Settings(**values | changed)


def write_settings(settings: Settings, folder: Path) -> Path:
    """As the product writes them."""
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps({"push": settings.push_tokens}))
    path = folder / "settings.json"
    plain = {name: getattr(settings, name) for name in Settings.__dataclass_fields__ if name != "push_tokens"}
    hosts = [
        {"name": h.name, "roles": h.roles, "address": h.address, "services": h.services}
        for h in settings.hosts.values()
    ]
    path.write_text(json.dumps({**plain, "format": 1, "secrets": str(secrets), "hosts": hosts}))
    return path


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("hub.test", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


@dataclass
class RunningHub:
    """The real program."""

    settings: Settings
    file: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.process = subprocess.Popen(self.argv("serve"), env=self.environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the hub ended at once"
            try:
                self.ask("GET", "/")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the hub did not begin to answer")

    @property
    def store(self) -> Path:
        return Path(self.settings.state) / "store"

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "bastide.hub", words[0], str(self.file), *words[1:]]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A verb of the program, as root would type it."""
        return subprocess.run(
            self.argv(*words), env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        admin: bool = False,
    ) -> Answer:
        connection = UnixConnection(self.settings.admin_socket if admin else self.settings.socket)
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def ask_at_once(self, method: str, path: str, body: object, each: Sequence[Mapping[str, str]]) -> list[int]:
        """Statuses of requests, one with each of these headers, that all wait when the hub, stopped meanwhile, goes on.

        How fast this computer asks one after the other does not decide then whether they are too many.
        """
        self.process.send_signal(signal.SIGSTOP)
        waiting = []
        try:
            for headers in each:
                connection = UnixConnection(self.settings.socket)
                connection.request(
                    method, path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
                )
                waiting.append(connection)
        finally:
            self.process.send_signal(signal.SIGCONT)
        statuses = []
        for connection in waiting:
            statuses.append(connection.getresponse().status)
            connection.close()
        return statuses

    def frame(self, host: str, t: float, counters: Mapping[str, float], **gauges: float) -> Answer:
        frame = {"host": host, "t": t, "seq": int(t * 1000), "gauges": gauges, "counters": counters}
        return self.ask("POST", "/hub/v1/frames", frame, {"X-Bastide-Peer": host})

    def records(self, host: str, records: list[dict[str, Any]]) -> Answer:
        return self.ask("POST", "/hub/v1/records", packed(records), {"X-Bastide-Peer": host})

    def log_in(self, role: str = "viewer") -> dict[str, str]:
        """Headers of a browser that is logged in."""
        made = json.loads(self.run("token", role).stdout)
        answer = self.ask("POST", "/api/login", {"token": made["token"]})
        assert answer.status == 200, answer.body
        return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0], "X-Bastide-CSRF": answer.json["csrf"]}

    def stream(self, headers: Mapping[str, str]) -> Generator[tuple[str, dict[str, Any]], None, None]:
        """Ids and states of the live stream."""
        connection = UnixConnection(self.settings.socket)
        try:
            connection.request("GET", "/api/stream", headers=dict(headers))
            response = connection.getresponse()
            assert response.status == 200, response.read()
            mark = ""
            while line := response.readline().decode():
                if line.startswith("id: "):
                    mark = line[4:].strip()
                elif line.startswith("data: "):
                    yield mark, json.loads(line[6:])
        finally:
            connection.close()


def packed(records: list[dict[str, Any]]) -> bytes:
    return gzip.compress(b"".join(json.dumps(record).encode() + b"\n" for record in records))


def log(seq: int, message: str, *, t: float = 1_700_000_000.0, **changed: Any) -> dict[str, Any]:
    return {
        "seq": seq, "t": t + seq, "kind": "log", "unit": "nginx.service", "priority": 6, "message": message, "fields": {},
    } | changed  # fmt: skip


def event(seq: int, kind: str, message: str, *, t: float, **fields: Any) -> dict[str, Any]:
    return {
        "seq": seq, "t": t, "kind": "event", "type": kind, "priority": 5, "message": message, "fields": fields,
    }  # fmt: skip
