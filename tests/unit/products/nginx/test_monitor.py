"""The entrance of a monitor, with a real nginx: who may ship, where it goes, and what is nobody's business."""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bastide.policy.identities import Identity
from bastide.products.context import HostContext
from bastide.products.nginx.render import render
from bastide.topology.resolve import resolve_topology
from tests.unit.products.authority import Authority, issue_materials
from tests.unit.products.machine import Machine
from tests.unit.specs import make_spec

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nginx") is None, reason="needs root and nginx")
MONITOR, STORE = "127.0.71.18", ("127.0.71.90", 9090)
HOSTS = {
    "lb1": {"roles": ["balancer"], "address": "127.0.71.10"},
    "web1": {"roles": ["web"], "address": "127.0.71.11"},
    "monitor1": {"roles": ["monitor"], "address": MONITOR},
}


class Echo(BaseHTTPRequestHandler):
    """Answers with what arrived."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@dataclass(frozen=True)
class Scene:
    machine: Machine
    authority: Authority
    folder: Path

    def ask(self, port: int, path: str, *curl: str, as_: Identity | None = None) -> tuple[int, dict[str, object]]:
        """Status, and what the other side saw."""
        (self.folder / "ca.pem").write_text(self.authority.root_pem)
        name = "monitor.monitor1.shop.internal"
        argv = ["curl", "-s", "-w", "\n%{http_code}", "--cacert", str(self.folder / "ca.pem")]
        if as_:
            pair = self.authority.issue(as_)
            (self.folder / "c.pem").write_text(pair.certificate_pem)
            (self.folder / "k.pem").write_text(pair.key_pem)
            argv += ["--cert", str(self.folder / "c.pem"), "--key", str(self.folder / "k.pem")]
        argv += ["--resolve", f"{name}:{port}:{MONITOR}", *curl, f"https://{name}:{port}{path}"]
        body, _, status = self.machine.run(*argv).stdout.rpartition("\n")
        return int(status), json.loads(body) if body.startswith("{") else {}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="bm", dir="/var/tmp"))
    spec = make_spec({}, hosts=HOSTS, app={"kind": "static", "path": "./site"})
    topology = resolve_topology(spec)
    authority = Authority(topology.internal_domain)
    materials = issue_materials(spec, topology, authority)
    context = HostContext(spec=spec, topology=topology, materials=materials, host=topology.hosts["monitor1"])
    fragment = render(context)
    store = f"{STORE[0]}:{STORE[1]}".encode()
    files = tuple(replace(f, content=f.content.replace(b"127.0.0.1:9090", store)) for f in fragment.files)
    machine = Machine(folder / "m", [replace(fragment, files=files)])
    socket = folder / "m/run/bastide-hub/hub.sock"
    socket.parent.mkdir()
    socket.parent.chmod(0o755)
    servers = [HTTPServer(STORE, Echo), UnixServer(str(socket), Echo)]
    socket.chmod(0o777)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        machine.start_nginx()
        yield Scene(machine, authority, folder)
    finally:
        machine.stop()
        for server in servers:
            server.shutdown()
            server.server_close()
        shutil.rmtree(folder)


AGENT = Identity(role="agent", host="web1")


def test_a_host_ships_metrics_to_the_store_under_the_name_of_its_certificate(scene: Scene) -> None:
    lie = ("-H", "X-Bastide-Peer: lb1", "--data-binary", "x")
    status, seen = scene.ask(8490, "/prometheus/api/v1/write", *lie, as_=AGENT)
    # The hub reads what is shipped before the store does: the name in it must be the certificate's.
    assert (status, seen["path"]) == (200, "/hub/v1/series")
    assert seen["headers"]["x-bastide-peer"] == "web1"  # type: ignore[index]
    status, seen = scene.ask(8490, "/hub/v1/frames", *lie, as_=AGENT)
    assert (status, seen["path"]) == (200, "/hub/v1/frames")
    assert seen["headers"]["x-bastide-peer"] == "web1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("identity", "status"),
    [
        (None, 400),
        (Identity(role="web", host="web1"), 403),
        (Identity(role="monitor", host="monitor1"), 403),
        (Identity(role="agent", host="gone"), 403),
    ],
)
def test_nobody_else_ships(scene: Scene, identity: Identity | None, status: int) -> None:
    for path in ("/prometheus/api/v1/write", "/hub/v1/records"):
        assert scene.ask(8490, path, "--data-binary", "x", as_=identity)[0] == status


def test_hosts_reach_nothing_but_what_they_ship_to(scene: Scene) -> None:
    for path in (
        "/",
        "/api/v1/query?query=up",
        "/prometheus/api/v1/query?query=up",
        "/hub/../api/state",
        "/push/v1/metrics",
    ):
        assert scene.ask(8490, path, "--path-as-is", as_=AGENT)[0] == 404, path
    assert scene.ask(8490, "/prometheus/api/v1/write", as_=AGENT)[0] == 403, "only to be written to"


def test_a_body_beyond_all_reason_is_refused(scene: Scene) -> None:
    big = scene.folder / "big"
    big.write_bytes(bytes(17 << 20))
    status, _ = scene.ask(8490, "/prometheus/api/v1/write", "--data-binary", f"@{big}", as_=AGENT)
    assert status == 413


def test_the_dashboard_needs_no_certificate_and_nobody_is_a_host_there(scene: Scene) -> None:
    status, seen = scene.ask(8444, "/api/state", "-H", "X-Bastide-Peer: web1", "-H", "X-Forwarded-For: 1.2.3.4")
    assert (status, seen["path"]) == (200, "/api/state")
    headers = seen["headers"]
    assert isinstance(headers, dict)
    assert "x-bastide-peer" not in headers
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert scene.ask(8444, "/hub/v1/frames", "--data-binary", "x")[0] == 404
