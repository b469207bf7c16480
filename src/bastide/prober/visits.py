"""Visitors at a fixed rate: each GET is asked when its time has come, whatever became of those before it.

In: domain, address, path, rate. Out: every GET: when its time was, when it ended, status or kind of failure, whether it
was asked twice; in batches while it goes on.
Holds: open loop: a slow or dead site gets no fewer requests, and time in a queue of ours counts as latency. Only what a
browser repeats by itself is repeated, once: a kept connection that turned out to be closed before a byte of the answer.
"""

import http.client
import queue
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

_WORKERS, _TELL_S = 96, 0.25


class _At(http.client.HTTPSConnection):
    """A connection to a given address that verifies the domain."""

    def __init__(self, domain: str, address: str, context: ssl.SSLContext, patience_s: float) -> None:
        super().__init__(domain, 443, context=context, timeout=patience_s)
        self._address, self._tls = address, context

    def connect(self) -> None:
        raw = socket.create_connection((self._address, 443), timeout=self.timeout)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


class _Visitors:
    def __init__(self, request: "Mapping[str, Any]") -> None:
        self._request = request
        self._context = ssl.create_default_context(cadata=request.get("ca") or None)
        if request.get("ca"):
            self._context.load_default_certs()
        self._due: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._idle: list[_At] = []
        self._busy = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.seen: list[list[Any]] = []

    def ask_at(self, due: float) -> None:
        """Have one GET asked now; a further worker is hired when all are busy."""
        with self._lock:
            self._busy += 1
            hire = self._busy > len(self._threads) and len(self._threads) < _WORKERS
        if hire:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._due.put(due)

    def end(self) -> None:
        """Let what is under way end."""
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join(timeout=2 * float(self._request["patience_s"]))

    def take(self) -> "list[list[Any]]":
        """What ended since the last time."""
        with self._lock:
            taken, self.seen = self.seen, []
        return taken

    def _work(self) -> None:
        while (due := self._due.get()) is not None:
            said, repeated = self._visit()
            with self._lock:
                self.seen.append([due, time.time(), said, repeated])
                self._busy -= 1

    def _visit(self) -> "tuple[int | str, bool]":
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        kept, repeated = connection is not None, False
        try:
            connection = connection or self._connect()
            try:
                status = self._get(connection)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                connection.close()
                if not kept:
                    raise
                repeated, connection = True, self._connect()
                status = self._get(connection)
        except (OSError, http.client.HTTPException) as error:
            if connection is not None:
                connection.close()
            return type(error).__name__, repeated
        with self._lock:
            self._idle.append(connection)
        return status, repeated

    def _connect(self) -> _At:
        ask = self._request
        return _At(ask["domain"], ask.get("address") or ask["domain"], self._context, float(ask["patience_s"]))

    def _get(self, connection: _At) -> int:
        connection.request("GET", self._request["path"], headers={"User-Agent": "bastide-drill"})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def visit(request: "Mapping[str, Any]", say: "Callable[[dict[str, Any]], None]") -> float:
    """`domain`, `path`, `rate`, `patience_s`, `until`; `address` and `ca` where the domain does not lead there by itself.

    Says `ready`, then `seen` batches, until a line or the end comes on standard input. The answer is the time of its end.
    """
    visitors, over = _Visitors(request), threading.Event()

    def listen() -> None:
        sys.stdin.buffer.readline()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    say({"ready": True, "now": time.time()})
    pace, began, number, told = 1.0 / float(request["rate"]), time.monotonic(), 0, 0.0
    offset = time.time() - began
    while not over.is_set() and time.time() < float(request["until"]):
        due = began + number * pace
        if (wait := due - time.monotonic()) > 0:
            over.wait(wait)
            continue
        visitors.ask_at(due + offset)
        number += 1
        if time.monotonic() - told > _TELL_S:
            told = time.monotonic()
            say({"seen": visitors.take(), "now": time.time()})
    ended = time.time()
    visitors.end()
    say({"seen": visitors.take(), "now": time.time()})
    return ended
