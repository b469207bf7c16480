"""As much HTTP as the agent needs: one request on an open connection, one answer.

In: a connected socket. Out: status and body. Raises OSError, ValueError.
Holds: answers are bounded. Python's own client would cost 4 MB for header parsing that is not needed here.
"""

from __future__ import annotations

import socket
import struct

_MAX_HEAD = 16 << 10


class Connection:
    """A kept connection."""

    def __init__(self, connected: socket.socket, host: str):
        self._socket = connected
        self._stream = connected.makefile("rb")
        self._host = host
        self.usable = True

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: str = "",
        max_bytes: int = 1 << 20,
    ) -> tuple[int, bytes]:
        """Status and body. After an error the connection is not usable any more."""
        self.usable = False
        length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{length}{headers}\r\n"
        self._socket.sendall(head.encode() + body)
        status, fields = self._head()
        found = self._body(fields, max_bytes)
        self.usable = self.usable and fields.get("connection", "").lower() != "close"
        return status, found

    def _head(self) -> tuple[int, dict[str, str]]:
        version, _, rest = self._line().partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError("not an answer in HTTP")
        fields: dict[str, str] = {}
        size = 0
        while line := self._line():
            size += len(line)
            if size > _MAX_HEAD:
                raise ValueError("too long a head")
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        return int(rest[:3]), fields

    def _line(self) -> str:
        line = self._stream.readline(_MAX_HEAD)
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection was closed within an answer")
        return line.decode("latin-1").rstrip("\r\n")

    def _body(self, fields: dict[str, str], max_bytes: int) -> bytes:
        if fields.get("transfer-encoding", "").lower() == "chunked":
            found = b""
            while size := int(self._line().split(";")[0], 16):
                found += self._exactly(size, max_bytes - len(found))
                self._line()
            while self._line():
                pass
        elif "content-length" in fields:
            found = self._exactly(int(fields["content-length"]), max_bytes)
        else:
            return self._stream.read(max_bytes)  # up to its end, so not to be used again
        self.usable = True
        return found

    def _exactly(self, size: int, most: int) -> bytes:
        if not 0 <= size <= most:
            raise ValueError("too long an answer")
        found = self._stream.read(size)
        if len(found) != size:
            raise ConnectionError("the connection was closed within an answer")
        return found

    def abort(self) -> None:
        """Close it at once: what was not sent yet is not sent later either."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close it."""
        self._stream.close()
        self._socket.close()


def get_local(address: str, path: str, timeout_s: float = 1.0, max_bytes: int = 4 << 20) -> bytes:
    """The body of a 200 from this host: a unix socket's path, or `127.0.0.1:9104`. Raises OSError, ValueError."""
    if address.startswith("/"):
        connected = socket.socket(socket.AF_UNIX)
        target: object = address
    else:
        connected = socket.socket()
        host, _, port = address.rpartition(":")
        target = (host, int(port))
    connected.settimeout(timeout_s)
    try:
        connected.connect(target)  # type: ignore[arg-type]
    except OSError:
        connected.close()
        raise
    connection = Connection(connected, "localhost")
    try:
        status, body = connection.request("GET", path, headers="Connection: close\r\n", max_bytes=max_bytes)
    finally:
        connection.close()
    if status != 200:
        raise ValueError(f"{address}{path}: status {status}")
    return body
