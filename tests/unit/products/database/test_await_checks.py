"""The application's proxy is ready once each database was asked: by a real HAProxy, and where one never answers."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bastide.products.sqlproxy import await_checks
from tests.ports import free_port

Start = Callable[[str], str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a HAProxy whose only backend has these servers; the path of its admin socket."""
    if subprocess.run(["sh", "-c", "command -v haproxy"], capture_output=True, check=False).returncode:
        pytest.skip("haproxy is not installed: scripts/setup test")
    running: list[subprocess.Popen[bytes]] = []

    def begin(servers: str) -> str:
        admin, config = tmp_path / "admin.sock", tmp_path / "haproxy.cfg"
        config.write_text(
            f"global\n stats socket unix@{admin} level admin\n"
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1s\n timeout server 1s\n timeout check 9s\n"
            f"listen all\n bind 127.0.0.1:{free_port()}\n default-server check inter 9s fastinter 100ms\n{servers}"
        )
        running.append(subprocess.Popen(["haproxy", "-q", "-db", "-f", str(config)]))
        while not admin.exists():
            assert running[-1].poll() is None, "haproxy has ended"
            time.sleep(0.01)
        return str(admin)

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_waits_until_each_server_was_asked(start: Start) -> None:
    admin = start("".join(f" server s{n} 127.0.0.1:{free_port()}\n" for n in range(4)))
    await_checks.main(admin)
    assert not await_checks.waiting(await_checks.ask(admin))


def test_a_server_that_does_not_answer_keeps_nobody_for_long(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the proof that the other test waits for something: a full queue of connections lets no check end."""
    monkeypatch.setattr(await_checks, "WITHIN_S", 0.3)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for connection in held:
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
        admin = start(f" server full 127.0.0.1:{port}\n")
        await_checks.main(admin)
        assert await_checks.waiting(await_checks.ask(admin))
        for connection in held:
            connection.close()


def test_servers_without_checks_are_not_waited_for() -> None:
    head = "pxname,svname,check_status,\n"
    assert not await_checks.waiting(head + "b,s,,\nb,t,L7OK,\n")
    assert await_checks.waiting(head + "b,s,,\nb,t,INI,\n")
    assert await_checks.waiting(head + "b,s,* INI,\nb,t,L7OK,\n")
