"""The database session of the standard library: variables as systemd writes them, packets as the server sends them."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.prober.sql import Session, SqlError, read_variable
from bastide.products.systemd import format_environment_file

GREETING = (
    b"\x0a5.5.5-test\0" + b"\0" * 4 + b"12345678\0" + b"\0" * 18 + b"123456789012\0" + b"mysql_native_password\0"
)


def packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body) | number << 24) + body


class Server:
    """Answers each packet that comes with the next of its script."""

    def __init__(self, *script: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place: tuple[str, int] = self._listener.getsockname()
        self.heard: list[bytes] = []
        self._script = script
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        wire, _ = self._listener.accept()
        self._listener.close()
        with wire:
            wire.sendall(packet(0, GREETING))
            for answer in self._script:
                self.heard.append(wire.recv(65536))
                wire.sendall(answer)


OK = packet(2, b"\0\0\0\2\0\0\0")
ROWS = (
    packet(1, b"\2") + packet(2, b"column") + packet(3, b"column") + packet(4, b"\xfe\0\0\2\0")
    + packet(5, b"\x01a\xfb") + packet(6, b"\xfc\x2c\x01" + b"x" * 300 + b"\x00") + packet(7, b"\xfe\0\0\2\0")
)  # fmt: skip


def test_rows_empty_results_and_refusals() -> None:
    refusal = packet(1, b"\xff" + struct.pack("<H", 1290) + b"#HY000read-only")
    server = Server(OK, ROWS, OK, refusal)
    session = Session(server.place, user="me", password="secret", database="shop")
    assert session.query("SELECT 1") == [("a", None), ("x" * 300, "")]
    assert session.query("INSERT") == []
    with pytest.raises(SqlError) as caught:
        session.query("INSERT")
    assert caught.value.code == 1290
    session.close()
    assert b"secret" not in b"".join(server.heard) and b"shop" in server.heard[0]


def test_a_connection_that_ends_says_nothing_of_the_statement() -> None:
    session = Session(Server(OK).place, user="me")
    with pytest.raises(OSError, match=r"closed|reset|pipe"):
        session.query("INSERT")
    session.close()


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
    )
)
def test_variables_are_read_as_systemd_does(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    file: Path = tmp_path_factory.mktemp("environment") / "environment"
    file.write_text(format_environment_file({"A": "1", "DATABASE_URL": value}))
    assert read_variable(str(file), "DATABASE_URL") == value
    with pytest.raises(KeyError):
        read_variable(str(file), "DATABASE")
