"""systemd's notification protocol.

In: NOTIFY_SOCKET. Out: messages to it.
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


def child_environment() -> dict[str, str]:
    """The environment for programs that we run: none of them speaks to systemd in our name."""
    ours = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
    return {name: value for name, value in os.environ.items() if name not in ours}
