"""systemd's sd_notify: ready, and alive.

In: the environment that systemd gives. Out: messages to it; nothing when it did not ask.
"""

from __future__ import annotations

import os
import socket


def notify(*assignments: str) -> None:
    """Tell systemd, if it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
        messenger.sendto("\n".join(assignments).encode(), address)
