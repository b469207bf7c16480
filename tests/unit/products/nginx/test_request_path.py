"""Real nginx on loopback: two web servers and two application hosts, as the spec describes them.

The application is a thread of this test behind each host's unix socket.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from bastide.policy.identities import Identity
from bastide.policy.materials import Materials
from bastide.products.context import HostContext
from bastide.products.nginx.application import DRAIN_FLAG, READY_FLAG
from bastide.products.nginx.render import render
from bastide.spec.model import Spec
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.products.authority import Authority, issue_materials
from tests.unit.products.machine import Machine
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts a host's folders"),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx"),
]

NETWORK = f"127.{os.getpid() % 200 + 20}.0"
BALANCER, WEB, APP = f"{NETWORK}.1", f"{NETWORK}.11", (f"{NETWORK}.21", f"{NETWORK}.22")


class Application(ThreadingMixIn, UnixStreamServer):
    """Answers with what it was told; notes every request."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, folder: Path) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.status = 200
        here = Path.cwd()  # a unix socket's path is short, pytest's folders are long
        os.chdir(folder)
        super().__init__("app.sock", Handler)
        os.chdir(here)
        (folder / "app.sock").chmod(0o666)
        self.ready = folder / Path(READY_FLAG).name
        self.ready.touch()
        self.folder = folder
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def die(self) -> None:
        self.shutdown()
        self.server_close()
        (self.folder / "app.sock").unlink()
        self.ready.unlink()


class Handler(BaseHTTPRequestHandler):
    server: Application
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        answer = f"{self.server.folder.parent.parent.name} {body.decode()}".encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET


class Town:
    """The machines and what a balancer needs to talk to them."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.folder, self.spec = folder, spec
        self.topology: Topology = resolve_topology(spec)
        self.authority = Authority(self.topology.internal_domain)
        self.materials: Materials = issue_materials(spec, self.topology, self.authority)
        (folder / "ca.crt").write_text(self.materials.trust_anchor_pem)
        self.machines: dict[str, Machine] = {}
        self.applications: dict[str, Application] = {}
        for host in self.topology.hosts.values():
            if {"web", "app"} & set(host.roles):
                context = HostContext(spec=spec, topology=self.topology, materials=self.materials, host=host)
                self.machines[host.name] = Machine(folder / host.name, [render(context)])

    def start(self) -> None:
        for machine in self.machines.values():
            machine.start_nginx()
        for host in self.topology.tier("app"):
            self.revive(host.name)

    def revive(self, name: str) -> None:
        self.applications[name] = Application(self.folder / name / "run/app")

    def curl(
        self, *arguments: str, peer: Identity | None = None, path: str = "/", role: str = "web"
    ) -> tuple[int, str]:
        """Status and body, as that peer (default: the balancer) asking a web server or an application host."""
        peer = peer or Identity(role="balancer", host="lb1")
        host = {"web": "web1", "app": "app1"}[role]
        port = {"web": 8443, "app": 9443}[role]
        address = str(self.topology.hosts[host].private)
        name = f"{role}.{host}.{self.topology.internal_domain}"
        pair = self.materials.identities.get(peer) or self.authority.issue(peer)
        (self.folder / "peer.pem").write_text(pair.certificate_pem + pair.key_pem)
        certificate = () if peer.role == "nobody" else ("--cert", str(self.folder / "peer.pem"))
        done = subprocess.run(
            ["curl", "-s", "-S", "-m", "60", "--path-as-is", "--cacert", str(self.folder / "ca.crt"), *certificate,
             "--interface", BALANCER, "--resolve", f"{name}:{port}:{address}", "-w", "\n%{http_code}",
             "-H", "Host: shop.test", "-H", "X-Forwarded-For: 203.0.113.9", "-H", "X-Forwarded-Proto: https",
             *arguments, f"https://{name}:{port}{path}"],
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def stop(self) -> None:
        for application in self.applications.values():
            application.shutdown()
            application.server_close()
        for machine in self.machines.values():
            machine.stop()


def make_spec(kind: str = "wsgi") -> Spec:
    return Spec.model_validate(
        {
            "name": "shop",
            "domains": ["shop.test"],
            "hosts": {
                "lb1": {"roles": ["balancer"], "address": BALANCER},
                "web1": {"roles": ["web"], "address": WEB},
                "app1": {"roles": ["app"], "address": APP[0]},
                "app2": {"roles": ["app"], "address": APP[1]},
            },
            "app": {"kind": kind, "entry": "shop:app"},
            "web": {
                "static": {"/static/": "./static"},
                "workers": 1,
                "max_body_size": "64k",
                # On loopback a connection would come from 127.0.0.1, whatever "host" opens it.
                "snippets": {"server": f"proxy_bind {WEB};"},
            },
        }
    )


@pytest.fixture
def town() -> Iterator[Town]:
    folder = Path(tempfile.mkdtemp(prefix="bt"))
    town = Town(folder, make_spec())
    try:
        static = folder / "web1/srv/bastide/static-0" / town.materials.releases["static-0"].digest
        static.mkdir(parents=True)
        (static / "shop.css").write_text("body { color: teal }\n" * 200)
        (static / ".secret").write_text("hidden")
        (static / "folder").mkdir()
        town.start()
        yield town
    finally:
        town.stop()
        shutil.rmtree(folder)


def test_only_the_peers_of_the_flow_are_served(town: Town) -> None:
    assert town.curl()[0] == 200
    assert town.curl(peer=Identity(role="nobody", host=""))[0] == 400
    assert town.curl(peer=Identity(role="web", host="web1"))[0] == 403
    assert town.curl(peer=Identity(role="balancer", host="lb9"))[0] == 403, "a balancer that left the spec"
    assert town.curl(role="app")[0] == 403, "a balancer does not talk to the application"
    assert town.curl(role="app", peer=Identity(role="web", host="web1"))[0] == 200
    for path in ("/static/shop.css", "/.bastide/health", "/.bastide/live", "/.bastide/refused"):
        assert town.curl(peer=Identity(role="app", host="app1"), path=path)[0] == 403, path


def test_a_certificate_of_another_authority_is_refused(town: Town) -> None:
    town.materials = issue_materials(town.spec, town.topology, Authority("shop.internal"))
    assert town.curl()[0] == 400


def test_a_refused_peer_loses_its_connection(town: Town) -> None:
    context = ssl.create_default_context(cafile=town.folder / "ca.crt")
    pair = town.authority.issue(Identity(role="app", host="app1"))
    (town.folder / "p.pem").write_text(pair.certificate_pem + pair.key_pem)
    context.load_cert_chain(town.folder / "p.pem")
    with (
        socket.create_connection((WEB, 8443)) as plain,
        context.wrap_socket(plain, server_hostname="web.web1.shop.internal") as connection,
    ):
        connection.settimeout(60)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        assert received.startswith(b"HTTP/1.1 403 ")


def test_the_application_learns_the_visitor_and_nothing_that_the_visitor_made_up(town: Town) -> None:
    invented = [
        *("-H", "Forwarded: for=6.6.6.6"), *("-H", "X-Original-URL: /admin"), *("-H", "Proxy: http://evil"),
        *("-H", "X-Forwarded-Port: 1"), *("-H", "X-Real-IP: 6.6.6.6"), *("-H", "X-Forwarded-Host: evil"),
        *("-H", "X_Forwarded_For: 6.6.6.6"), *("-H", "Upgrade: h2c"), *("-H", "Connection: Upgrade"),
    ]  # fmt: skip
    assert town.curl(*invented, "-H", "X-Request-ID: abcdefgh-1", path="/a//b/%2e%2e/c?d=%20")[0] == 200
    ((_, path, headers),) = (seen for a in town.applications.values() for seen in a.seen)
    assert path == "/a//b/%2e%2e/c?d=%20", "passed as it was sent"
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "203.0.113.9"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("https", "shop.test")
    assert headers["host"] == "shop.test"
    assert headers["x-request-id"] == "abcdefgh-1"
    for header in ("forwarded", "x-original-url", "proxy", "x-forwarded-port", "x_forwarded_for", "upgrade"):
        assert header not in headers, header


def test_an_address_that_only_claims_to_come_from_a_balancer_is_not_believed(town: Town) -> None:
    """Straight to the application's listener, with a web server's key, but from a balancer's address."""
    town.curl(role="app", peer=Identity(role="web", host="web1"))
    ((_, _, headers),) = town.applications["app1"].seen
    assert headers["x-forwarded-for"] == BALANCER


def test_a_bad_request_id_is_replaced(town: Town) -> None:
    town.curl("-H", "X-Request-ID: <script>")
    ((_, _, headers),) = (seen for a in town.applications.values() for seen in a.seen)
    assert len(headers["x-request-id"]) == 32


def test_connections_to_the_application_hosts_are_reused(town: Town) -> None:
    for _ in range(12):
        assert town.curl("-o", "/dev/null", "https://web.web1.shop.internal:8443/?[1-10]")[0] == 200
    logs = {name: town.folder / f"{name}/var/log/bastide/nginx-{name[:3]}.tsv" for name in town.machines}
    asked = 12 * (10 + 1)
    # nginx writes a request's line after its answer.
    wait_until(lambda: len(_rows(logs["web1"])) >= asked)
    wait_until(lambda: len(_rows(logs["app1"]) + _rows(logs["app2"])) >= asked)
    numbers = {name: [int(r[10]) for r in _rows(log)] for name, log in logs.items()}
    assert numbers["web1"].count(1) == 12, "the control: each curl comes by a connection of its own"
    assert len(numbers["app1"] + numbers["app2"]) == len(numbers["web1"]) == asked
    assert (numbers["app1"] + numbers["app2"]).count(1) == 2, "one connection to each application host"


def _rows(log: Path) -> list[list[str]]:
    return [line.split("\t") for line in log.read_text().splitlines()]


def test_static_files_are_served_by_the_web_server_itself(town: Town) -> None:
    status, body = town.curl("-D", "-", "-H", "Accept-Encoding: gzip", "--compressed", path="/static/shop.css")
    head = body.lower()
    assert status == 200
    for line in (
        "content-encoding: gzip",
        "cache-control: max-age=3600",
        "x-content-type-options: nosniff",
        "etag: ",
    ):
        assert line in head, line
    assert "server: nginx\n" in head.replace("\r", "")
    assert not any(a.seen for a in town.applications.values())
    assert town.curl(path="/static/.secret")[0] == 404
    assert town.curl(path="/static/folder/")[0] == 403, "no listing"
    for path in ("/static/../../../etc/passwd", "/static../x", "/static/%2e%2e/%2e%2e/etc/passwd"):
        status, body = town.curl(path=path)
        assert "root:" not in body, path


def test_a_body_that_is_too_large_is_refused(town: Town) -> None:
    assert town.curl("--data", "x" * 65537)[0] == 413
    assert town.curl("--data", "x" * 65536)[0] == 200


def test_no_request_is_lost_while_one_application_is_dead_not_even_a_post(town: Town) -> None:
    town.applications["app1"].die()
    answers = [town.curl("--data", f"order {i}") for i in range(8)]
    assert [status for status, _ in answers] == [200] * 8
    assert [body for _, body in answers] == [f"app2 order {i}" for i in range(8)]
    town.revive("app1")
    assert {town.curl()[1].strip() for _ in range(8)} == {"app1", "app2"}


def test_no_request_is_lost_while_one_application_host_is_gone(town: Town) -> None:
    town.machines["app1"].stop()
    assert [town.curl("--data", "x")[0] for _ in range(8)] == [200] * 8


def test_an_application_that_listens_and_cannot_answer_yet_keeps_nobody_waiting(town: Town) -> None:
    assert {town.curl()[1].strip() for _ in range(8)} == {"app1", "app2"}
    town.applications["app1"].ready.unlink()
    seen = len(town.applications["app1"].seen)
    answers = [town.curl("--data", f"order {i}") for i in range(8)]
    assert answers == [(200, f"app2 order {i}") for i in range(8)]
    assert len(town.applications["app1"].seen) == seen
    town.applications["app1"].ready.touch()
    assert {town.curl()[1].strip() for _ in range(8)} == {"app1", "app2"}


def test_a_drained_host_ends_kept_connections_with_its_answers(town: Town) -> None:
    """None is left for a POST to cross with when nginx itself restarts; nor does a health check keep one."""
    for _ in range(8):
        assert town.curl()[0] == town.curl(path="/.bastide/health")[0] == 200
    # The control: those of visitors are kept.
    wait_until(lambda: [kept_connections(address) for address in APP] == [1, 1])
    flag = town.folder / "app1" / DRAIN_FLAG.lstrip("/")
    flag.parent.mkdir(parents=True)
    for folder in (flag.parent, flag.parent.parent):
        folder.chmod(0o755)
    flag.touch()
    answers = [town.curl("--data", f"order {i}") for i in range(8)]
    assert answers == [(200, f"app2 order {i}") for i in range(8)]
    assert town.curl(path="/.bastide/health")[0] == 200
    wait_until(lambda: kept_connections(APP[0]) == 0)
    assert kept_connections(APP[1]) >= 1


def kept_connections(address: str) -> int:
    """Established connections to an application host's listener, as its own end sees them."""
    packed = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1] == f"{packed}:{9443:04X}" and row[3] == "01" for row in rows)


def test_a_post_that_an_application_has_seen_is_never_sent_twice(town: Town) -> None:
    for application in town.applications.values():
        application.status = 503
    assert town.curl("--data", "x")[0] == 503
    assert sum(len(a.seen) for a in town.applications.values()) == 1
    assert town.curl()[0] == 503
    assert sum(len(a.seen) for a in town.applications.values()) == 3, "a GET may try both"


def test_health_says_whether_an_application_is_within_reach(town: Town) -> None:
    assert [town.curl(path=f"/.bastide/{p}")[0] for p in ("live", "health", "ready")] == [200, 200, 200]
    assert {path for a in town.applications.values() for _, path, _ in a.seen} == {"/healthz"}
    for application in town.applications.values():
        application.status = 503
    assert [town.curl(path=f"/.bastide/{p}")[0] for p in ("live", "health", "ready")] == [200, 200, 503]
    town.applications["app1"].die()
    town.applications["app2"].status = 200
    assert [town.curl(path=f"/.bastide/{p}")[0] for p in ("live", "health", "ready")] == [200, 200, 200]
    assert [town.curl(path="/.bastide/health")[0] for _ in range(4)] == [200] * 4
    town.applications["app2"].die()
    assert [town.curl(path=f"/.bastide/{p}")[0] for p in ("live", "health", "ready")] == [200, 503, 502]
    assert town.curl()[0] == 503
    assert town.curl(path="/static/shop.css")[0] == 200


def test_every_request_is_one_line_that_can_be_counted(town: Town) -> None:
    for path in ("/", "/static/shop.css", "/x%09y%0a?q=\t"[:9], "/.bastide/health"):
        town.curl(path=path)
    town.curl(peer=Identity(role="web", host="web1"))
    town.curl(peer=Identity(role="nobody", host=""))
    log = town.folder / "web1/var/log/bastide/nginx-web.tsv"
    wait_until(lambda: log.read_text().count("\n") >= 5)
    rows = _rows(log)
    assert {len(row) for row in rows} == {11}
    assert [(row[1], row[2], row[3]) for row in rows] == [
        ("200", "GET", "app"),
        ("200", "GET", "/static/"),
        ("200", "GET", "app"),
        ("403", "GET", "refused"),
        ("400", "GET", "refused"),
    ]
    assert rows[0][7] == "203.0.113.9"
    assert float(rows[0][4]) >= 0 and float(rows[0][5]) >= 0 and int(rows[0][6]) > 0


def test_a_reload_takes_the_new_configuration_and_a_failed_one_says_so(town: Town) -> None:
    machine = town.machines["web1"]
    pid = (machine.folder / "run/nginx/nginx.pid").read_text().strip()
    reload = ("sh", "/etc/bastide/nginx/reload.sh", pid)
    config = machine.folder / "etc/bastide/nginx/nginx.conf"
    good = config.read_text()
    config.write_text(good.replace("server_tokens off;", 'server_tokens off; add_header X-New "yes" always;'))
    assert machine.run(*reload, user="www-data").returncode == 0
    assert all("x-new: yes" in town.curl("-D", "-")[1].lower() for _ in range(5)), "an old worker answered"
    config.write_text(good.replace("server_tokens off;", "server_tokens perhaps;"))
    failed = machine.run(*reload, user="www-data")
    assert failed.returncode == 1
    assert "kept the old configuration" in failed.stderr
    assert town.curl()[0] == 200


def test_the_probes_pass_on_a_good_host_and_fail_on_a_dead_one(town: Town) -> None:
    for name, machine in town.machines.items():
        host = town.topology.hosts[name]
        fragment = render(HostContext(spec=town.spec, topology=town.topology, materials=town.materials, host=host))
        (probe,) = fragment.probes
        done = machine.run(*probe.argv)
        assert done.returncode == 0, done.stdout
        machine.started[0].terminate()
        machine.started[0].wait(60)
        done = machine.run(*probe.argv)
        assert done.returncode == 1
        assert "expected status 403" in done.stdout
