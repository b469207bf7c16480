"""Going on without votes: who is let in to ask for a promise, as the real HAProxy reads it."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastide.keeper.settings import load_settings
from tests.unit.products.database.test_announce import tree
from tests.unit.specs import RESILIENT

_CONFIG = """
defaults
    mode http
    timeout connect 2s
    timeout client 1m
    timeout server 1m
frontend status
    bind unix@{at}/status ssl crt {at}/database.db2.pem ca-file {at}/all.pem verify required
{rules}
    default_backend status
backend status
    http-request return status 200
"""


def config(**database: object) -> str:
    return tree(RESILIENT, failover="automatic", **database)["db1"]["/etc/bastide/sqlproxy/haproxy.cfg"]


def rules_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip().startswith("http-request deny")]


def test_only_who_opts_in_is_asked(tmp_path: Path) -> None:
    assert "/promise" not in config()
    for wanted in (False, True):
        files = tree(RESILIENT, failover="automatic", without_quorum="go_on" if wanted else "stop")["db1"]
        (tmp_path / "keeper.json").write_text(files["/etc/bastide/keeper/keeper.json"])
        failover = load_settings(tmp_path / "keeper.json").failover
        assert failover is not None and failover.failsafe is wanted


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Path]:
    """A HAProxy with the rules of a database host, before something that says yes to everything."""
    for name in ("database.db1", "database.db2", "app.app1"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", f"/CN={name}", "-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.crt")],
            check=True, capture_output=True,
        )  # fmt: skip
        both = [(tmp_path / f"{name}.{kind}").read_text() for kind in ("crt", "key")]
        (tmp_path / f"{name}.pem").write_text("".join(both))
        with (tmp_path / "all.pem").open("a") as everybody:
            everybody.write(both[0])
    rules = "\n".join(rules_of(config(without_quorum="go_on")))
    (tmp_path / "haproxy.cfg").write_text(_CONFIG.format(at=tmp_path, rules=rules))
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(tmp_path / "haproxy.cfg")])
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "status").exists():
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
        yield tmp_path
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(at: Path, name: str, path: str) -> int:
    """The status that a host of that name gets."""
    context = ssl.create_default_context(cafile=str(at / "all.pem"))
    context.check_hostname = False
    context.load_cert_chain(at / f"{name}.pem")
    plain = socket.socket(socket.AF_UNIX)
    plain.settimeout(60)
    plain.connect(str(at / "status"))
    connection = http.client.HTTPConnection("keeper")
    with context.wrap_socket(plain) as connection.sock:
        connection.request("GET", path)
        return connection.getresponse().status


def test_a_database_may_ask_for_a_promise_and_nobody_else(proxy: Path) -> None:
    question = "/promise?holder=db1&epoch=3"
    assert ask(proxy, "database.db1", question) == 200
    assert ask(proxy, "app.app1", question) == 403
    assert ask(proxy, "app.app1", "/primary") == 200
    assert ask(proxy, "database.db1", "/anything") == 403
