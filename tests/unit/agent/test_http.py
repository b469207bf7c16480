"""What has not left a host when its connection is given up does not leave it later either."""

from __future__ import annotations

import contextlib
import socket

import pytest

from bastide.agent.http import Connection

WAITING = b"x" * (4 << 20)
"""More than both systems keep for somebody who does not read."""


def left_behind(end: str) -> int:
    """So many bytes reach a peer that begins to read when the connection is over; raises ConnectionResetError."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    sender.settimeout(0.2)
    connection = Connection(sender, "monitor")
    with contextlib.suppress(TimeoutError):
        connection.request("POST", "/hub/v1/records", WAITING)
    getattr(connection, end)()
    with peer:
        return sum(len(part) for part in iter(lambda: peer.recv(1 << 20), b""))


def test_what_was_given_up_is_not_sent_later() -> None:
    with pytest.raises(ConnectionResetError):
        left_behind("abort")


def test_what_was_only_closed_is() -> None:
    """The control."""
    assert left_behind("close") > 0
