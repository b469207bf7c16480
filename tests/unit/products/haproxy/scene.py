"""A balancer's context for tests, its rendered tree on disk, and a real HAProxy on loopback ports.

Ports come from flows, so a scene moves the flows; folders are rewritten to the test's own.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from bastide.bundle.model import digest_of
from bastide.products.context import HostContext
from bastide.products.fragment import Fragment
from bastide.products.haproxy.render import render
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.ports import free_port
from tests.unit.products.haproxy import authority
from tests.waiting import LONG_S, wait_for

DOMAIN = "shop.example.com"


def context(
    *, ports: Mapping[str, int] | None = None, texts: dict[str, str] | None = None, **sections: Any
) -> HostContext:
    """Two balancers and two web servers, whose addresses are loopback's; `sections` replace those of the spec."""
    raw: dict[str, Any] = {
        "name": "shop",
        "domains": [DOMAIN, "www.example.com"],
        "hosts": {
            "lb1": {"roles": ["balancer"], "address": "127.0.0.1", "public": "192.0.2.11"},
            "lb2": {"roles": ["balancer"], "address": "127.0.0.9", "public": "192.0.2.12"},
            "web1": {"roles": ["web"], "address": "127.0.0.2"},
            "web2": {"roles": ["web"], "address": "127.0.0.3"},
        },
        "app": {"kind": "static"},
        **sections,
        # Descriptors are scarcer where tests run than on a balancer.
        "balancer": {"max_connections": 1000, **sections.get("balancer", {})},
    }
    spec = Spec.model_validate(raw)
    topology = resolve_topology(spec)
    moved = tuple(
        dataclasses.replace(flow, port=(ports or {}).get(flow.name, flow.port)) for flow in topology.flows
    )
    topology = dataclasses.replace(topology, flows=moved)
    return HostContext(
        spec=spec,
        topology=topology,
        materials=authority.materials(topology, texts=texts),
        host=topology.hosts["lb1"],
    )


def write_tree(fragment: Fragment, root: Path) -> Path:
    """The fragment's files below `root`, their own folders rewritten; gives the configuration's path."""
    for folder in ("run/haproxy", "run/bastide-vrrp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for file in fragment.files:
        path = root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = file.content
        for owned in (b"/etc/bastide", b"/run/haproxy", b"/run/bastide-vrrp", b"/run/keepalived"):
            content = content.replace(owned, str(root).encode() + owned)
        content = content.replace(b"abns@bastide-once", f"abns@{digest_of(str(root).encode())[:16]}".encode())
        path.write_bytes(content)
        path.chmod(file.mode)
    return (
        root
        / "etc/bastide"
        / fragment.product
        / f"{fragment.product}.c{'fg' if fragment.product == 'haproxy' else 'onf'}"
    )


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A running HAProxy."""

    http: int
    https: int
    root: Path
    log: Path
    process: subprocess.Popen[bytes]

    def curl(self, path: str, *options: str, host: str = DOMAIN, scheme: str = "https") -> str:
        """Head and body of the answer to `path`, which is sent as it is."""
        port = self.https if scheme == "https" else self.http
        done = subprocess.run(
            [
                "curl", "-sS", "-i", "--path-as-is", "--max-time", "10", "--cacert", str(self.root / "ca.pem"),
                "--resolve", f"{host}:{port}:127.0.0.1", *options, f"{scheme}://{host}:{port}{path}",
            ],
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def connect(self) -> ssl.SSLSocket:
        tls = ssl.create_default_context(cafile=str(self.root / "ca.pem"))
        return tls.wrap_socket(
            socket.create_connection(("127.0.0.1", self.https), timeout=20), server_hostname=DOMAIN
        )

    def client(self) -> HTTPSConnection:
        connection = HTTPSConnection(DOMAIN, self.https, timeout=20)
        connection.sock = self.connect()
        return connection

    def raw(self, request: bytes) -> bytes:
        """Whatever comes back for these bytes until the edge closes, or has answered and is silent for a second."""
        with self.connect() as tls:
            tls.sendall(request)
            answer = b""
            try:
                while chunk := tls.recv(65536):
                    answer += chunk
                    tls.settimeout(1)
            except TimeoutError:
                pass
            return answer

    def command(self, line: str, *, of: str = "admin") -> str:
        """What HAProxy answers on its `admin` or `master` socket."""
        with connect_unix(str(self.root / f"run/haproxy/{of}.sock")) as admin:
            admin.settimeout(10)
            admin.sendall(line.encode() + b"\n")
            admin.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()

    def requests_logged(self) -> list[list[str]]:
        whole = self.log.read_text().rpartition("\n")[0]
        return [line.split("\t") for line in whole.splitlines() if line.startswith("R\t")]

    def await_logged(self, count: int, *paths: str) -> list[list[str]]:
        """The lines of requests for these paths, once there are so many: a line follows after its answer."""
        return wait_for(
            lambda: [fields for fields in self.requests_logged() if fields[4] in paths],
            lambda lines: len(lines) >= count,
        )


@dataclass(frozen=True, kw_only=True)
class Web:
    """A running web server; what it received stands in its journal, one line a request."""

    process: subprocess.Popen[bytes]
    journal: Path

    def received(self, path: str) -> int:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return sum(line.split("\t")[1] == path for line in lines)


@contextmanager
def web_server(context: HostContext, name: str, root: Path, *, answer_as: str | None = None) -> Iterator[Web]:
    """A web server at the host's address; `answer_as` gives it another host's certificate."""
    flow, host = context.topology.flow("balancer-web"), context.topology.hosts[name]
    pair = next(
        p for i, p in context.materials.identities.items() if i.host == (answer_as or name) and i.role == "web"
    )
    pem = root / f"{name}.pem"
    pem.write_text(pair.certificate_pem + pair.key_pem)
    (root / "ca.pem").write_text(context.materials.trust_anchor_pem)
    journal = root / f"{name}.journal"
    argv = [
        sys.executable,
        str(Path(__file__).with_name("webserver.py")),
        name,
        str(host.private),
        str(flow.port),
        str(journal),
    ]
    if flow.encryption == "mtls":
        argv += [str(pem), str(root / "ca.pem")]
    process = subprocess.Popen(argv)
    try:
        _await_port(str(host.private), flow.port or 0, process)
        yield Web(process=process, journal=journal)
    finally:
        process.kill()
        process.wait()


@contextmanager
def edge(context: HostContext, root: Path, *, master: bool = False) -> Iterator[Edge]:
    """The real HAProxy with that context's configuration; `master`: with a master process, which can reload."""
    config = write_tree(render(context), root)
    (root / "ca.pem").write_text(context.materials.trust_anchor_pem)
    log = root / "access.tsv"
    ports = {name: context.topology.flow(name).port or 0 for name in ("internet-http", "internet-https")}
    modes = ["-W", "-S", str(root / "run/haproxy/master.sock")] if master else ["-db"]
    with log.open("ab") as stdout, (root / "events.log").open("ab") as stderr:
        # As the unit does it: the other threads' descriptors are this one, once more.
        started = 'exec haproxy "$@" ' + " ".join(
            f"{n}>&1" for n in re.findall(r"log fd@(\d+)", config.read_text())
        )
        argv = ["bash", "-c", started, "haproxy", *modes, "-f", str(config)]
        process = subprocess.Popen(argv, stdout=stdout, stderr=stderr)
    try:
        try:
            _await_port("127.0.0.1", ports["internet-https"], process)
            # HAProxy listens at its ports before it has made its sockets.
            for path in re.findall(r"stats socket (\S+)", config.read_text()):
                _await_listener(path, partial(connect_unix, path), process)
        except AssertionError as error:
            raise AssertionError((root / "events.log").read_text()) from error
        if master:
            _await_handler(process, signal.SIGUSR2)
        yield Edge(http=ports["internet-http"], https=ports["internet-https"], root=root, log=log, process=process)
        assert process.poll() is None, (root / "events.log").read_text()
    finally:
        # A killed master would leave its worker behind.
        process.terminate()
        process.wait()


def moved_ports() -> dict[str, int]:
    return {name: free_port() for name in ("internet-http", "internet-https", "balancer-web")}


def has(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


def _await_handler(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The worker may answer before the master listens to signals, and the first one would then end the master. (On a
    # host, systemd waits for the master's word.)
    def caught() -> int:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)

    wait_for(caught, lambda signals: signals >> (number - 1) & 1)


def connect_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _await_port(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    connect = partial(socket.create_connection, (address, port), timeout=1)
    _await_listener(f"{address}:{port}", connect, process)


def _await_listener(where: str, connect: Callable[[], socket.socket], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LONG_S
    while process.poll() is None and time.monotonic() < until:
        try:
            connect().close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens at {where}")
