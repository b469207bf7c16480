"""The smuggling check against a front that is fooled: it must see the answer too many."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bastide.verify import edge, raw
from tests.unit.prober.server import server_context

OK, REFUSED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"


class _Scene:
    domain = "shop.test"
    ca = Path("/nonexistent")


def front(answers_of: Any) -> Iterator[int]:
    """A TLS server that reads once and answers as it is told."""
    context = server_context("ECDHE+AESGCM")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                with context.wrap_socket(raw, server_side=True) as wire:
                    wire.sendall(answers_of(wire.recv(65536)))

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def nothing(words: list[str]) -> list[str]:
    return []


def everything(words: list[str]) -> list[str]:
    return words


def unknown(words: list[str]) -> None:
    return None


@pytest.mark.parametrize(
    ("attacked", "logged", "result"),
    [
        (OK * 3, nothing, "failed"), (OK * 2, unknown, "proven"), (REFUSED, unknown, "proven"),
        # One answer and the end, as the edge must after a length and chunks: the logs behind it tell.
        (OK, everything, "failed"), (OK, nothing, "proven"), (OK, unknown, "not_tested"),
    ],
)  # fmt: skip
def test_an_answer_too_many_or_a_request_in_the_logs_behind_is_a_hidden_request(
    attacked: bytes,
    logged: Callable[[list[str]], list[str] | None],
    result: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge, "requests_behind", lambda scene, address, words, control: logged(words))

    def answers(request: bytes) -> bytes:
        # The control, and nothing else, has a length and neither chunks nor tricks.
        lines = request.split(b"\r\n\r\n")[0].split(b"\r\n")
        plain = len(lines) == 3 and lines[2].startswith(b"Content-Length: ") and lines[2][16:].isdigit()
        return OK * 2 if plain and not lines[2].endswith(b": 0") else attacked

    def connect(scene: Any, address: str) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60))

    monkeypatch.setattr(raw, "connect", connect)
    running = front(answers)
    port = next(running)
    try:
        check = edge._smuggling(_Scene(), "lb1", "127.0.0.1")  # type: ignore[arg-type]
    finally:
        running.close()  # type: ignore[attr-defined]
    assert check.result == result, check.proof
