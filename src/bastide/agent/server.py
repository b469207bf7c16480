"""The agent's listeners on loopback: /metrics, /push, OTLP and StatsD.

In: sockets. Out: answers by `Routes`. No token is asked for: whoever can connect is a program on this host, and can
do no more than add series and events of its own, both bounded.
Holds: heads, bodies, time and the number of connections are bounded; one request a connection.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bastide.agent.pushed import Pushed, Refused, TooManySeries
from bastide.agent.statsd import read_datagram

MAX_HEAD = 16 << 10
MAX_BODY = 1 << 20
TIMEOUT_S = 5.0
MAX_CONNECTIONS = 16
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
    413: "Content Too Large", 415: "Unsupported Media Type", 429: "Too Many Requests",
    431: "Request Header Fields Too Large",
}  # fmt: skip
_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    kind: str = "application/json"


Handler = Callable[[bytes, Mapping[str, str]], Answer]


def error(status: int, message: str) -> Answer:
    """An answer that says what is wrong."""
    return Answer(status=status, body=json.dumps({"error": message}).encode() + b"\n")


class HttpServer:
    """One listener; routes by (method, path)."""

    def __init__(self, address: str, routes: Mapping[tuple[str, str], Handler]):
        self._routes = routes
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._listener = socket.create_server(split_address(address), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._run, name="http", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self._free.acquire()
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        try:
            with connected, contextlib.suppress(OSError):
                connected.settimeout(TIMEOUT_S)
                answer = self._answer(connected)
                head = (
                    f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.kind}\r\n"
                    f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
                )
                connected.sendall(head.encode() + answer.body)
                connected.shutdown(socket.SHUT_WR)
                # Read what is still coming, or the reset would take the answer with it.
                while connected.recv(65536):
                    pass
        finally:
            self._free.release()

    def _answer(self, connected: socket.socket) -> Answer:
        data = b""
        while b"\r\n\r\n" not in data:
            if len(data) > MAX_HEAD:
                return error(431, f"the head of a request has at most {MAX_HEAD} bytes")
            received = connected.recv(16384)
            if not received:
                return error(400, "the request ended within its head")
            data += received
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        method, _, target = first.partition(" ")
        path = target.partition(" ")[0].partition("?")[0]
        handler = self._routes.get((method, path))
        if handler is None:
            known = {m for m, p in self._routes if p == path}
            return (
                error(405, f"use {', '.join(sorted(known))}")
                if known
                else error(404, f"no such path: {path[:200]}")
            )
        if method == "POST":
            length = fields.get("content-length", "")
            if not length.isdigit():
                return error(411, "a body needs Content-Length; chunks are not taken")
            if int(length) > MAX_BODY:
                return error(413, f"a body has at most {MAX_BODY} bytes")
            if "100-continue" in fields.get("expect", "").lower():
                connected.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(body) < int(length):
                received = connected.recv(65536)
                if not received:
                    return error(400, "the request ended within its body")
                body += received
            body = body[: int(length)]
        try:
            return handler(body, fields)
        except Refused as refused:
            return error(400, str(refused))
        except TooManySeries as refused:
            return error(429, str(refused))


class StatsdServer:
    """The UDP listener; what it cannot read is counted, since nobody can be told."""

    def __init__(self, address: str, pushed: Pushed):
        self._pushed = pushed
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(split_address(address))
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.refused = 0

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._run, name="statsd", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(65536)
            except OSError:
                return
            if not datagram:
                continue
            try:
                read_datagram(datagram, self._pushed)
            except (Refused, TooManySeries) as refused:
                if not self.refused:
                    _log.warning("statsd: %s (told once; counted from here on)", refused)
                self.refused += 1


def split_address(address: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = address.rpartition(":")
    return host, int(port)
