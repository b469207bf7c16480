"""The application's proxy is ready once each database was asked: by a real HAProxy, and where one never answers."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bastide.products.sqlproxy import await_checks
from tests.ports import free_port
from tests.waiting import LONG_S, wait_until

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
            "defaults\n mode tcp\n timeout connect 60s\n timeout client 1s\n timeout server 1s\n timeout check 9s\n"
            f"listen all\n bind 127.0.0.1:{free_port()}\n default-server check inter 9s fastinter 100ms\n{servers}"
        )
        running.append(subprocess.Popen(["haproxy", "-q", "-db", "-f", str(config)]))
        wait_until(lambda: answers(str(admin)) or running[-1].poll() is not None)
        assert running[-1].poll() is None, "haproxy has ended"
        return str(admin)

    yield begin
    for process in running:
        process.kill()
        process.wait()


def answers(admin: str) -> bool:
    """Its socket is there a moment before HAProxy listens at it."""
    try:
        return bool(await_checks.ask(admin))
    except OSError:
        return False


def test_waits_until_each_server_was_asked(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(await_checks, "WITHIN_S", LONG_S)
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
