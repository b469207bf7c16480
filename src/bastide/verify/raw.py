"""Requests as bytes, over TLS, to one balancer: what no client library would send.

In: Scene, address, bytes. Out: everything that came back. Raises OSError.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass

from bastide.verify.scene import Scene
from bastide.verify.site import trusting

PATIENCE_S = 20.0
"""Longer than the edge keeps a silent connection: silence is then its own doing, on a busy computer too."""
_MOST = 256 << 10


@dataclass(frozen=True, kw_only=True, slots=True)
class RawAnswer:
    """What came back to one request."""

    status: int
    """0 where the connection was closed without an answer."""
    request_id: str
    content: bytes
    """Head and body."""


def connect(scene: Scene, address: str) -> ssl.SSLSocket:
    """A connection that verifies the site's name."""
    wire = socket.create_connection((address, 443), timeout=PATIENCE_S)
    return trusting(scene.ca).wrap_socket(wire, server_hostname=scene.domain)


def converse(scene: Scene, address: str, content: str) -> bytes:
    """Send it all; what comes until the other side closes, or falls silent."""
    said = b""
    with connect(scene, address) as wire, suppress(TimeoutError, ConnectionError, ssl.SSLError):
        wire.sendall(content.encode("latin-1"))
        while len(said) < _MOST and (part := wire.recv(65536)):
            said += part
    return said


def ask_raw(
    scene: Scene, address: str, target: str, headers: tuple[str, ...] | None = None, version: str = "1.1"
) -> RawAnswer:
    """One GET of that target, spelled as it is, with these header lines (by default: the right Host)."""
    lines = (f"Host: {scene.domain}",) if headers is None else headers
    head = "\r\n".join((f"GET {target} HTTP/{version}", *lines, "User-Agent: bastide-verify", "Connection: close"))
    said = converse(scene, address, head + "\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", said)
    number = re.search(rb"(?im)^x-request-id: ([^\r\n]+)", said.partition(b"\r\n\r\n")[0])
    return RawAnswer(
        status=int(status[1]) if status else 0, request_id=number[1].decode() if number else "", content=said
    )
