"""The command is started as a platform starts it, and spoken to over HTTP."""

import contextlib
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, str(Path(__file__).parents[1] / "echo.py")]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    server = subprocess.Popen(COMMAND, env=os.environ | {"PORT": str(port)})
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        assert server.wait(timeout=10) == 0, "SIGTERM ends it in good order"


def free_port() -> int:
    """Below those that the kernel gives to any connection: nobody takes it before the server has it."""
    while True:
        port = random.randrange(10_000, 20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.05)
        else:
            return


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text)


def test_health(port: int) -> None:
    assert ask(port, "GET", "/healthz") == (200, {"status": "ok"})


def test_echo(port: int) -> None:
    status, seen = ask(port, "POST", "/a?b=c", b"hello", **{"X-Forwarded-For": "203.0.113.7"})
    assert (status, seen["method"], seen["path"], seen["body"]) == (200, "POST", "/a?b=c", "hello")
    assert seen["headers"]["x-forwarded-for"] == "203.0.113.7"


@pytest.mark.parametrize("length", ["65537", "-1", "many"])
def test_a_body_too_large_or_of_unknown_size_is_refused(port: int, length: str) -> None:
    assert ask(port, "POST", "/", b"", **{"Content-Length": length})[0] == 413


def test_only_loopback(port: int) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert f"0100007F:{port:04X}" in listening and f"00000000:{port:04X}" not in listening


def test_without_a_port_it_does_not_start() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and "PORT" in done.stderr
