"""Database hosts and an application host on this machine's loopback, with their real files at their real paths.

Each host is a mount namespace of its own; the real mariadbd, keeper and proxy run in it under their own users. What
systemd does on a host (start order, sockets, the request to start MariaDB) is done here by hand.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastide.pki.materials import gather_materials
from bastide.policy.identities import Identity
from bastide.policy.materials import Materials, Release
from bastide.products.context import HostContext
from bastide.products.fragment import Fragment
from bastide.products.keeper import render as keeper
from bastide.products.mariadb import paths
from bastide.products.mariadb import render as mariadb
from bastide.products.sqlproxy import render as sqlproxy
from bastide.spec.model import Spec
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology

_ETC = ("passwd", "group", "nsswitch.conf", "hosts", "ssl")
_MOUNTS = ("etc", "run", "var/lib")
SQLPROXY = 61235
NOW = datetime.now(UTC)
DATABASES = {"db1": "127.77.0.11", "db2": "127.77.0.12"}
APPS = {"app1": "127.77.0.21"}


def make_spec(databases: Mapping[str, str], *, inside: str = "mtls", **database: Any) -> Spec:
    """Databases and an application host on loopback addresses."""
    hosts = {n: {"roles": ["database"], "address": a} for n, a in databases.items()}
    hosts |= {n: {"roles": ["app"], "address": a} for n, a in APPS.items()}
    hosts["web1"] = {"roles": ["web"], "address": "127.77.0.31"}
    mode = "replication" if len(databases) > 1 else "single"
    return Spec.model_validate(
        {
            "name": "shop",
            "domains": ["shop.test"],
            "hosts": hosts,
            "tls": {"inside": inside},
            "app": {"kind": "wsgi", "entry": "shop:app"},
            "database": {"mode": mode, "name": "shop", "buffer_pool": "32M", "max_connections": 20, **database},
        }
    )


class Scene:
    """The infrastructure; `nodes` by host name."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.spec, self.folder = spec, folder
        self.topology: Topology = resolve_topology(spec)
        self.materials: Materials = gather_materials(
            spec,
            self.topology,
            state=folder / "state",
            base=folder,
            environ={},
            now=NOW,
            releases={"app": Release(name="app", digest="a" * 64, size=1)},
        )
        self.nodes: dict[str, Node] = {}

    def add(self, host: str) -> Node:
        """A host with its files; nothing runs yet."""
        context = HostContext(
            spec=self.spec, topology=self.topology, materials=self.materials, host=self.topology.hosts[host]
        )
        products = {"mariadb": mariadb.render, "keeper": keeper.render, "sqlproxy": sqlproxy.render}
        fragments = [render(context) for product, render in products.items() if context.runs(product)]
        self.nodes[host] = Node(self.folder / host, fragments)
        return self.nodes[host]

    def pem(self, role: str, host: str) -> tuple[Path, Path]:
        """Certificate and key of any identity, in files."""
        pair = self.materials.identities[Identity(role=role, host=host)]
        files = self.folder / f"{role}.{host}.crt", self.folder / f"{role}.{host}.key"
        for path, text in zip(files, (pair.certificate_pem, pair.key_pem), strict=True):
            path.write_text(text)
        return files

    def until(self, holds: Callable[[], bool], what: str, timeout_s: float = 90.0) -> float:
        """Wait, doing systemd's work meanwhile. Returns how long it took."""
        began = time.monotonic()
        while not holds():
            for node in self.nodes.values():
                node.supervise()
            if time.monotonic() - began > timeout_s:
                logs = "\n".join(f"--- {n}\n{node.output[-6000:]}" for n, node in self.nodes.items())
                raise AssertionError(f"waited in vain: {what}\n{logs}")
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> None:
        for node in self.nodes.values():
            node.close()


class Node:
    """One host."""

    def __init__(self, folder: Path, fragments: Sequence[Fragment]) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._seen_request = 0.0
        for mount in _MOUNTS:
            (folder / mount).mkdir(parents=True)
        for name in _ETC:
            copy = shutil.copytree if Path("/etc", name).is_dir() else shutil.copy
            copy(Path("/etc", name), folder / "etc" / name)
        with (folder / "etc/passwd").open("a") as file:
            file.write(f"sqlproxy:x:{SQLPROXY}:{SQLPROXY}::/nonexistent:/usr/sbin/nologin\n")
        with (folder / "etc/group").open("a") as file:
            file.write(f"sqlproxy:x:{SQLPROXY}:\n")
        self.write(fragments)
        binds = " && ".join(f"mount --bind {folder / m} /{m}" for m in _MOUNTS)
        self._holder = subprocess.Popen(["unshare", "-m", "sh", "-c", f"{binds} && exec sleep infinity"])
        while Path(f"/proc/{self._holder.pid}/comm").read_text().strip() != "sleep":
            time.sleep(0.01)
        for path, owner, mode in (
            ("run/mysqld", "mysql", 0o755),
            ("run/keeper", "mysql", 0o755),
            ("run/bastide-keeper", "mysql", 0o700),
            ("run/sqlproxy", SQLPROXY, 0o750),
            ("run/bastide-seed", "root", 0o755),
            ("var/lib/bastide/database", "mysql", 0o750),
            ("var/lib/mysql", "mysql", 0o755),
        ):
            (folder / path).mkdir(parents=True)
            (folder / path).chmod(mode)
            shutil.chown(folder / path, owner, owner)

    def write(self, fragments: Sequence[Fragment]) -> None:
        """The fragments' files, with their modes and owners."""
        groups = {"root": 0, "sqlproxy": SQLPROXY}
        for file in (f for fragment in fragments for f in fragment.files):
            target = self.path(file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
            target.chmod(file.mode)
            if file.group in groups:
                os.chown(target, 0, groups[file.group])
            else:
                shutil.chown(target, "root", file.group)

    def path(self, inside: str) -> Path:
        """A path of the host, as this process sees it."""
        return self.folder / inside.lstrip("/")

    def argv(self, *command: str) -> list[str]:
        """The command inside the host, as root."""
        return ["nsenter", "-m", "-t", str(self._holder.pid), "--", *command]

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run to the end, as root."""
        return subprocess.run(
            self.argv(*command), input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def sql(self, statement: str) -> list[list[str]]:
        """Rows, as root over the unix socket."""
        done = self.run("mariadb", "--no-defaults", f"--socket={paths.SERVER_SOCKET}", "-N", "-B", stdin=statement)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def status(self, path: str = "/status") -> tuple[int, dict[str, Any]]:
        """The keeper's answer, as root; code 0 without one."""
        done = self.run(
            *("curl", "-s", "-m", "5", "-w", "\n%{http_code}", "--unix-socket", paths.KEEPER_SOCKET),
            f"http://keeper{path}",
        )
        if done.returncode != 0:
            return 0, {}
        body, _, code = done.stdout.rpartition("\n")
        return int(code), json.loads(body)

    def is_(self, role: str, state: str = "running") -> bool:
        """Whether the keeper says so."""
        _, said = self.status()
        return bool(said.get("role") == role and said.get("state") == state)

    def start_proxy(self) -> None:
        self.path("/run/sqlproxy/state").write_bytes(b"1\n")
        os.chown(self.path("/run/sqlproxy/state"), SQLPROXY, SQLPROXY)
        self._start(
            "sqlproxy",
            *("setpriv", f"--reuid={SQLPROXY}", f"--regid={SQLPROXY}", "--clear-groups"),
            *("env", "SQLPROXY_STATE=/run/sqlproxy/state"),
            *("haproxy", "-W", "-f", "/etc/bastide/sqlproxy/haproxy.cfg", "-p", "/run/sqlproxy/pid"),
        )

    def start_seed(self) -> None:
        socket = paths.SEED_SOCKET
        self._start(
            "seed",
            *("systemd-socket-activate", "-l", socket, "--accept", "--inetd"),
            *("setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups"),
            *("/usr/bin/python3", "-I", keeper.PROGRAM, "donate", keeper.SETTINGS),
        )
        while not self.path(socket).exists():
            time.sleep(0.01)
        self.path(socket).chmod(0o660)
        os.chown(self.path(socket), 0, SQLPROXY)

    def start_keeper(self) -> None:
        mysql = subprocess.run(["id", "-g", "mysql"], capture_output=True, text=True, check=True).stdout.strip()
        self._start(
            "keeper",
            *("setpriv", "--reuid=mysql", "--regid=mysql", f"--groups={mysql},{SQLPROXY}", "--no-new-privs"),
            *("/usr/bin/python3", "-I", keeper.PROGRAM, "run", keeper.SETTINGS),
        )

    def start_server(self) -> None:
        """As the unit does: only with a whole data directory, with the peers' names as /etc/hosts."""
        if not self.path(paths.RECORD).exists():
            return
        hosts = f"[ ! -e {paths.HOSTS} ] || mount --bind {paths.HOSTS} /etc/hosts"
        drop = "exec setpriv --reuid=mysql --regid=mysql --clear-groups --no-new-privs"
        self._start(
            "mariadb",
            *("unshare", "-m", "sh", "-c"),
            f"{hosts}; {drop} mariadbd --defaults-file={paths.SERVER_CONFIG}",
        )

    def supervise(self) -> None:
        """The path unit: start MariaDB when asked."""
        request = self.path(paths.START_REQUEST)
        if not request.exists() or request.stat().st_mtime == self._seen_request:
            return
        self._seen_request = request.stat().st_mtime
        process = self.running.get("mariadb")
        if process is None or process.poll() is not None:
            self.start_server()

    def start_all(self) -> None:
        for start in (self.start_proxy, self.start_seed, self.start_keeper):
            start()

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """Stop one program of the host and wait for it."""
        process = self.running.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    @property
    def output(self) -> str:
        path = self.folder / "output"
        return path.read_text(errors="replace") if path.exists() else ""

    def pid_of(self, name: str) -> int:
        """The running program's own process: everything in front of it has replaced itself by it."""
        return self.running[name].pid

    def close(self) -> None:
        for name in ("keeper", "seed", "sqlproxy", "mariadb"):
            self.end(name)
        self._holder.kill()
        self._holder.wait(10)

    def _start(self, name: str, *command: str) -> None:
        self.end(name)
        with (self.folder / "output").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.argv(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


@contextmanager
def raise_scene(folder: Path, spec: Spec, *hosts: str) -> Iterator[Scene]:
    """A scene with these hosts, nothing running; everything is stopped at the end."""
    folder.chmod(0o755)
    scene = Scene(folder, spec)
    try:
        for host in hosts:
            scene.add(host)
        yield scene
    finally:
        scene.stop()


def grant(node: Node) -> None:
    """What the operator's first apply leaves on one host."""
    target = node.path(paths.GRANT)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
