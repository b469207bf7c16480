"""Ports of loopback for the programs that tests start: none is given twice, and nobody takes one in between.

The kernel gives the ports of its own range (from 32768 on) to any connection at any moment, so that one that was free
a moment ago may be taken when a program wants to listen there. These lie below that range, and each worker of
pytest-xdist has some of its own.
"""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _EACH = 20_000, 3_000
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
# Two runs of the tests side by side begin at different places.
_numbers = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """One that nobody listens at, over TCP or UDP."""
    for number in itertools.islice(_numbers, _EACH):
        port = _FIRST + _EACH * _worker + number % _EACH
        if _is_free(port, socket.SOCK_STREAM) and _is_free(port, socket.SOCK_DGRAM):
            return port
    raise AssertionError("no port is free")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(type=kind) as probe:
        if kind is socket.SOCK_STREAM:
            # One that was closed a moment ago may be listened at, as servers do.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
