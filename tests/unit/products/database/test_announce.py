"""Keepers tell proxies who is the primary: who may, what can be said, and what the real HAProxy makes of it."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path

import pytest

from bastide.bundle.compile import compile_bundles
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import RESILIENT, WHITEBOARD, make_spec

_CONFIG = """
global
    stats socket unix@{at}/stats mode 600 level admin
    lua-load-per-thread {lua}
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
frontend primary
    bind unix@{at}/primary
    tcp-request inspect-delay 3s
    tcp-request content lua.await_primary if {{ nbsrv(primary) eq 0 }}
    default_backend primary
frontend announce
    bind unix@{at}/announce
    timeout client 5s
    tcp-request content use-service lua.announce
backend primary
    # Without checks, only what is said here counts.
    server db1 unix@{at}/db1
    server db2 unix@{at}/db2
"""


def tree(layout: Mapping[str, Sequence[str]], **database: object) -> dict[str, dict[str, str]]:
    spec = make_spec(layout, database={"name": "shop", **database})
    topology = resolve_topology(spec)
    return {
        host: {f.path: f.content.decode() for f in bundle.files if not f.path.endswith(".pyz")}
        for host, bundle in compile_bundles(spec, topology, fake_materials(spec, topology)).items()
    }


def test_databases_alone_may_tell_application_hosts_who_is_the_primary() -> None:
    hosts = tree(RESILIENT, failover="automatic")
    assert hosts["app1"]["/etc/bastide/sqlproxy/peers/announce.lst"] == "database.db1\ndatabase.db2\n"
    assert "frontend announce from" in hosts["app2"]["/etc/bastide/sqlproxy/haproxy.cfg"]
    told = json.loads(hosts["db1"]["/etc/bastide/keeper/keeper.json"])["failover"]["proxies"]
    assert told == ["/run/sqlproxy/announce-app1.sock", "/run/sqlproxy/announce-app2.sock"]
    way = hosts["db1"]["/etc/bastide/sqlproxy/haproxy.cfg"]
    assert "verifyhost app.app1.shop.internal" in way and "frontend announce from" not in way


def test_a_keeper_beside_an_application_speaks_to_its_proxy_without_a_detour() -> None:
    layout: dict[str, Sequence[str]] = {**WHITEBOARD, "wit1": ["witness"]}
    hosts = tree(layout, failover="automatic")
    told = json.loads(hosts["server1"]["/etc/bastide/keeper/keeper.json"])["failover"]["proxies"]
    assert told == ["/run/sqlproxy/announce.sock", "/run/sqlproxy/announce-server2.sock"]
    config = hosts["server1"]["/etc/bastide/sqlproxy/haproxy.cfg"]
    assert "bind unix@/run/sqlproxy/announce.sock mode 660" in config


def test_where_roles_change_by_hand_nobody_is_told_anything() -> None:
    for files in tree(RESILIENT).values():
        assert "announce" not in files.get("/etc/bastide/sqlproxy/haproxy.cfg", "")
        assert "/etc/bastide/sqlproxy/primary.lua" not in files


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Path]:
    """A HAProxy with two databases, neither of which is the primary."""
    lua = package_files("bastide.products.sqlproxy").joinpath("primary.lua")
    (tmp_path / "haproxy.cfg").write_text(_CONFIG.format(at=tmp_path, lua=lua))
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(tmp_path / "haproxy.cfg")])
    try:
        _await(lambda: len(states(tmp_path)) == 2)
        for host in ("db1", "db2"):
            assert converse(tmp_path / "announce", f"{host} down\n") == "ok\n"
        assert states(tmp_path) == {"db1": 0, "db2": 0}
        yield tmp_path
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(condition: Callable[[], bool], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.05)


def converse(path: Path, said: str = "") -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(said.encode())
        heard = b""
        while block := connection.recv(4096):
            heard += block
    return heard.decode()


def states(at: Path) -> dict[str, int]:
    rows = [
        line.split() for line in converse(at / "stats", "show servers state primary\n").splitlines()[2:] if line
    ]
    return {row[3]: int(row[5]) for row in rows}


def test_what_is_said_is_done_at_once_and_nothing_else_can_be_said(proxy: Path) -> None:
    for wrong in (
        "db2 addr\n",
        "show info\n",
        "db3 up\n",
        "db2 up; show info\n",
        "set server primary/db2 state ready\n",
    ):
        assert converse(proxy / "announce", wrong) == "what?\n"
    assert states(proxy) == {"db1": 0, "db2": 0}
    assert converse(proxy / "announce", "db2 up\n") == "ok\n"
    assert states(proxy) == {"db1": 0, "db2": 2}
    assert converse(proxy / "announce", "db2 stopping\n") == "ok\n"
    assert states(proxy) == {"db1": 0, "db2": 3}
    # One line and no more: what follows it is not read.
    assert converse(proxy / "announce", "db2 down\ndb1 up\n") == "ok\n"
    assert states(proxy) == {"db1": 0, "db2": 0}


def test_a_new_connection_waits_for_a_primary(proxy: Path) -> None:
    began = time.monotonic()
    assert converse(proxy / "primary") == ""
    assert time.monotonic() - began > 1, "without one it waits, and is closed in the end"

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(proxy / "db2"))
        listener.listen()

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"db2")

        threading.Thread(target=greet, daemon=True).start()
        heard: list[str] = []
        for _ in range(10):
            began = time.monotonic()
            asking = threading.Thread(target=lambda: heard.append(converse(proxy / "primary")))
            asking.start()
            assert converse(proxy / "announce", "db2 up\n") == "ok\n"
            told_s = time.monotonic() - began
            asking.join(timeout=60)
            if heard != [""] or told_s < 2:
                break
            # It waits for 2.5 s, and a busy computer told of the primary only after that.
            heard.clear()
            assert converse(proxy / "announce", "db2 down\n") == "ok\n"
        assert heard == ["db2"]
        listener.shutdown(socket.SHUT_RDWR)
