"""systemd's two small protocols: sd_notify, and sockets handed over at start.

In: the environment that systemd gives. Out: messages to it; listening sockets.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

FIRST_DESCRIPTOR = 3


def tool_environment() -> dict[str, str]:
    """The environment for programs that we run: none of them speaks to systemd in our name (mariadbd would)."""
    ours = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    return {name: value for name, value in os.environ.items() if name not in ours}


def notify(*assignments: str) -> None:
    """Tell systemd, if it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
        messenger.sendto("\n".join(assignments).encode(), address)


def open_listener(path: str) -> socket.socket:
    """The socket that systemd listens on for us (it outlives our restarts), or one of our own at `path`."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=FIRST_DESCRIPTOR)
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    Path(path).chmod(0o666)  # it tells no secret
    listener.listen(128)
    return listener
