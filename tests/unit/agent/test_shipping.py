"""Frames and records on their way to monitors that come, go, hang and refuse: real TLS on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bastide.agent.settings import Monitor, Tls
from bastide.agent.shipping import Board, Shipping
from bastide.agent.spool import Spool
from tests.ports import free_port
from tests.waiting import LONG_S

NAME = "monitor.shop.internal"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """One self-signed certificate is root, server and client at once; and a stranger's beside it."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "strange"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2",
             "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return Tls(root=f"{folder}/ours.pem", certificate=f"{folder}/ours.pem", key=f"{folder}/ours.key")


class FakeMonitor:
    """Takes frames and records; `answer` may make it misbehave."""

    def __init__(self, tls: Tls, port: int | None = None, *, certificate: str = "ours"):
        self.frames: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        """Those that were acknowledged."""
        self.connections = 0
        self.answer: Callable[[int], bytes] = acknowledgement
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = Path(tls.root).parent
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
        context.load_verify_locations(tls.root)
        context.verify_mode = ssl.CERT_REQUIRED
        # None of the kernel's own range: while nobody listens there, a sender that tries it might be given it itself.
        self.port = free_port() if port is None else port
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._context = context
        self._open: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connected in self._open:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                secured = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                continue  # who was refused, or lost patience: others still come
            self.connections += 1
            self._open.append(secured)
            threading.Thread(target=self._serve, args=(secured,), daemon=True).start()

    def _serve(self, secured: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), secured, secured.makefile("rb") as stream:
            while first := stream.readline():
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = stream.read(length)
                if b"/hub/v1/frames" in first:
                    self.frames.append(json.loads(body))
                    secured.sendall(_response(b"{}"))
                else:
                    found = [json.loads(line) for line in zlib.decompress(body, 31).splitlines()]
                    answer = self.answer(found[-1]["seq"])
                    if answer == acknowledgement(found[-1]["seq"]):
                        self.records += found
                    secured.sendall(answer)


def acknowledgement(seq: int) -> bytes:
    return _response(json.dumps({"ack": seq}).encode())


def _response(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Sender:
    """One host that ships to one monitor."""

    def __init__(self, folder: Path, tls: Tls, port: int):
        self.spool = Spool(folder, limit_bytes=1 << 20, monitors=("m",), now_s=time.time())
        self.board = Board()
        monitor = Monitor(name="m", url=f"https://127.0.0.1:{port}", server_name=NAME)
        self.shipping = Shipping(monitor, tls, self.board, self.spool)
        self.number = 0
        self.shipping.start()

    def send(self) -> None:
        self.number += 1
        self.board.publish(json.dumps({"seq": self.number}).encode())
        self.spool.append({"number": self.number})
        self.spool.flush(time.time())


@pytest.fixture
def senders() -> Iterator[list[Sender]]:
    opened: list[Sender] = []
    yield opened
    for sender in opened:
        sender.shipping.stop()


def wait(condition: Callable[[], bool], seconds: float = LONG_S) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_everything_arrives_over_one_connection_for_frames_and_one_for_records(
    tmp_path: Path, tls: Tls, senders: list[Sender]
) -> None:
    monitor = FakeMonitor(tls)
    sender = Sender(tmp_path, tls, monitor.port)
    senders.append(sender)
    for _ in range(3):
        sender.send()
        assert wait(lambda: len(monitor.records) == sender.number and len(monitor.frames) == sender.number)
    assert [r["number"] for r in monitor.records] == [1, 2, 3]
    assert [f["seq"] for f in monitor.frames] == [1, 2, 3]
    assert monitor.connections == 2
    monitor.close()


def test_records_wait_for_a_monitor_that_is_gone_and_frames_do_not(
    tmp_path: Path, tls: Tls, senders: list[Sender]
) -> None:
    first = FakeMonitor(tls)
    sender = Sender(tmp_path, tls, first.port)
    senders.append(sender)
    sender.send()
    assert wait(lambda: len(first.records) == 1)
    # Until the acknowledgement is back: what it did not hear of, it would rightly send again.
    assert wait(lambda: not sender.spool.waiting("m"))
    first.close()
    for _ in range(5):
        sender.send()
        time.sleep(0.05)
    again = FakeMonitor(tls, first.port)
    assert wait(lambda: [r["number"] for r in again.records] == [2, 3, 4, 5, 6])
    assert len(again.frames) <= 2
    assert sender.shipping.failures > 0
    again.close()


@pytest.mark.parametrize(
    "answer",
    [_response(b"no", "503 Down"), _response(b'{"ack": 0}'), _response(b"not json"), b"", b"garbage\r\n\r\n"],
)
def test_nothing_counts_as_delivered_that_was_not_acknowledged(
    tmp_path: Path, tls: Tls, senders: list[Sender], answer: bytes
) -> None:
    monitor = FakeMonitor(tls)
    good = monitor.answer
    monitor.answer = lambda seq: answer or (_ for _ in ()).throw(OSError("cut"))
    sender = Sender(tmp_path, tls, monitor.port)
    senders.append(sender)
    sender.send()
    assert wait(lambda: sender.shipping.failures > 0)
    assert sender.spool.waiting("m")
    monitor.answer = good
    assert wait(lambda: [r["number"] for r in monitor.records] == [1])
    monitor.close()


def test_a_stranger_with_the_right_name_is_told_nothing(tmp_path: Path, tls: Tls, senders: list[Sender]) -> None:
    monitor = FakeMonitor(tls, certificate="strange")
    sender = Sender(tmp_path, tls, monitor.port)
    senders.append(sender)
    sender.send()
    assert wait(lambda: sender.shipping.failures > 0)
    assert not monitor.frames and not monitor.records
    monitor.close()
