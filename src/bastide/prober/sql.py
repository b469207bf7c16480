"""A database session of the standard library's alone: log in at a socket or address, send a statement, read its rows.

In: where, who, statements. Out: rows of text. Raises SqlError (the server's own word) or OSError (no word at all).
Holds: no TLS: it is for loopback and unix sockets. After OSError nobody knows what became of the statement.
"""

import contextlib
import re
import socket
import struct
from pathlib import Path
from typing import Any

from bastide.prober.mysql import packet, salt, scramble

_LONG_PASSWORD, _WITH_DATABASE, _PROTOCOL_41, _TRANSACTIONS, _SECURE, _PLUGIN = (
    0x1,
    0x8,
    0x200,
    0x2000,
    0x8000,
    0x80000,
)
_NATIVE = b"mysql_native_password\0"
_OK, _ERROR, _SWITCH, _END, _NULL = 0x00, 0xFF, 0xFE, 0xFE, 0xFB


class SqlError(Exception):
    """The server refused. `code` is its number."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(f"error {code}: {message}")


class Session:
    """One connection, each statement a transaction of its own."""

    def __init__(
        self, place: "str | tuple[str, int]", *, user: str, password: str = "", database: str = "",
        connect_s: float = 1.0, patience_s: float = 5.0,
    ) -> None:  # fmt: skip
        family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self._wire = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._wire.settimeout(connect_s)
            self._wire.connect(place)
            if family == socket.AF_INET:
                self._wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._log_in(user, password, database)
            self._wire.settimeout(patience_s)
        except BaseException:
            self._wire.close()
            raise

    def query(self, statement: str) -> "list[tuple[str | None, ...]]":
        """Its rows; none where it has none."""
        self._send(0, b"\x03" + statement.encode())
        head = self._answer()
        if head[0] == _OK:
            return []
        while not _is_end(self._answer()):
            pass  # descriptions of columns
        rows = []
        while not _is_end(body := self._answer()):
            rows.append(tuple(_values(body)))
        return rows

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._wire.close()

    def _log_in(self, user: str, password: str, database: str) -> None:
        greeting = self._answer()
        flags = (
            _LONG_PASSWORD | _PROTOCOL_41 | _TRANSACTIONS | _SECURE | _PLUGIN | (_WITH_DATABASE if database else 0)
        )
        proof = scramble(password, salt(greeting)) if password else b""
        body = struct.pack("<IIB23x", flags, 1 << 24, 45) + user.encode() + b"\0" + bytes([len(proof)]) + proof
        body += (database.encode() + b"\0" if database else b"") + _NATIVE
        self._send(1, body)
        answer, number = self._answer(), 3
        while answer[0] == _SWITCH:
            plugin, _, more = answer[1:].partition(b"\0")
            again = scramble(password, more[:20]) if plugin + b"\0" == _NATIVE and password else b""
            self._send(number, again)
            answer, number = self._answer(), number + 2

    def _send(self, number: int, body: bytes) -> None:
        self._wire.sendall(struct.pack("<I", len(body) | number << 24) + body)

    def _answer(self) -> bytes:
        body = packet(self._wire)
        if not body:
            raise ConnectionError("the server closed the connection")
        if body[0] == _ERROR:
            text = body[9:] if body[3:4] == b"#" else body[3:]
            raise SqlError(int.from_bytes(body[1:3], "little"), text.decode(errors="replace"))
        return body


def application_session(environment: str, **options: Any) -> Session:
    """A session as the application has it, by the DATABASE_URL of its environment file. Raises KeyError without one."""
    from urllib.parse import unquote, urlsplit

    url = urlsplit(read_variable(environment, "DATABASE_URL"))
    return Session(
        (url.hostname or "127.0.0.1", url.port or 3306), user=unquote(url.username or ""),
        password=unquote(url.password or ""), database=url.path.lstrip("/"), **options,
    )  # fmt: skip


def read_variable(environment: str, name: str) -> str:
    """One variable of a systemd environment file. Raises KeyError, OSError."""
    for line in Path(environment).read_text().splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key == name:
            return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
    raise KeyError(name)


def _is_end(body: bytes) -> bool:
    return body[0] == _END and len(body) < 9


def _values(body: bytes) -> "list[str | None]":
    found: list[str | None] = []
    at = 0
    while at < len(body):
        size, at = body[at], at + 1
        if size == _NULL:
            found.append(None)
            continue
        if size > _NULL:
            width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[size]
            size, at = int.from_bytes(body[at : at + width], "little"), at + width
        found.append(body[at : at + size].decode(errors="replace"))
        at += size
    return found
