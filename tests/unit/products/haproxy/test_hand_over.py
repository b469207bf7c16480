"""A HAProxy that stops is left in peace until what it works at has ended; by a real HAProxy, as its unit runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastide.products.haproxy import hand_over
from tests.ports import free_port
from tests.waiting import wait_until

_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


class Proxy:
    """One that answers when a request is whole."""

    def __init__(self, folder: Path) -> None:
        self.port, self.admin = free_port(), str(folder / "admin.sock")
        config = folder / "haproxy.cfg"
        config.write_text(
            f"global\n stats socket {self.admin} level admin\n"
            "defaults\n mode http\n timeout connect 5s\n timeout client 90s\n timeout server 90s\n"
            " timeout http-request 90s\n option idle-close-on-response\n"
            f"frontend https-2\n bind 127.0.0.1:{self.port}\n option http-buffer-request\n default_backend once\n"
            f"backend once\n server inside {folder}/once.sock\n"
            f"frontend once\n bind {folder}/once.sock\n default_backend web\n"
            "backend web\n http-request return status 200 content-type text/plain string done\n"
        )
        self.process = subprocess.Popen(["haproxy", "-W", "-f", str(config)])
        wait_until(self.answers, within_s=60)

    def answers(self) -> bool:
        try:
            self.connect().close()
        except OSError:
            return False
        return "fe=GLOBAL" in self.sessions()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def count(self) -> int:
        return hand_over.running(self.sessions())

    def sessions(self) -> str:
        return hand_over.ask(self.admin, "show sess")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    if subprocess.run(["sh", "-c", "command -v haproxy"], capture_output=True, check=False).returncode:
        pytest.skip("haproxy is not installed: scripts/setup test")
    proxy = Proxy(tmp_path)
    yield proxy
    proxy.process.terminate()
    proxy.process.wait()


def test_what_runs_is_counted_while_it_stops_and_what_idles_is_not(proxy: Proxy) -> None:
    with proxy.connect() as idle, proxy.connect() as busy:
        idle.sendall(_HEAD + b"0123456789")
        assert b" 200 " in idle.recv(4096)
        busy.sendall(_HEAD + b"01234")
        wait_until(lambda: proxy.count() == 1, within_s=60)
        hand_over.close_to_visitors(proxy.admin)
        assert proxy.count() == 1
        busy.sendall(b"56789")
        said = busy.recv(4096).lower()
        assert b" 200 " in said, "it went its way by the frontend inside"
        assert b"connection: close" in said
        idle.sendall(_HEAD + b"0123456789")
        last = idle.recv(4096).lower()
        assert b" 200 " in last and b"connection: close" in last, "a kept connection is served once more"
        wait_until(lambda: proxy.count() == 0, within_s=60)


def test_it_waits_for_a_request_and_no_longer(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over, "LONGEST_S", 60.0)
    with proxy.connect() as busy:
        busy.sendall(_HEAD + b"01234")
        wait_until(lambda: proxy.count() == 1, within_s=60)
        left: list[int] = []
        waiting = threading.Thread(target=lambda: left.append(hand_over.await_end(proxy.admin)))
        waiting.start()
        waiting.join(2 * hand_over.SHORTEST_S)
        assert waiting.is_alive(), "a request is under way"
        busy.sendall(b"56789")
        waiting.join(60)
        assert left == [0]


def test_a_request_that_does_not_end_is_not_waited_for_for_ever(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "LONGEST_S", 0.6)
    with proxy.connect() as busy:
        busy.sendall(_HEAD)
        wait_until(lambda: proxy.count() == 1, within_s=60)
        assert hand_over.await_end(proxy.admin) == 1


def test_the_rule_is_about_new_connections_to_the_address_alone() -> None:
    four, six = hand_over.ruleset("192.0.2.10", ["80", "443"]), hand_over.ruleset("2001:db8::a", ["443"])
    assert "ip daddr 192.0.2.10 tcp dport { 80, 443 } tcp flags & (syn | ack) == syn drop" in four
    assert "ip6 daddr 2001:db8::a tcp dport { 443 }" in six
    assert four.startswith("table inet bastide_handover {"), "never in the firewall's own table"


@pytest.mark.skipif(os.geteuid() != 0, reason="nft judges for root alone")
@pytest.mark.parametrize("address", ["192.0.2.10", "2001:db8::a"])
def test_nftables_takes_the_rule(address: str) -> None:
    rules = hand_over.ruleset(address, ["80", "443"])
    assert nft_says(rules) == ""
    assert "syntax error" in nft_says(rules.replace("drop", "dropp")), "the control"


def nft_says(rules: str) -> str:
    return subprocess.run(["nft", "-c", "-f", "-"], input=rules, capture_output=True, text=True, check=False).stderr
