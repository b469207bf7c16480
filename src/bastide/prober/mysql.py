"""Logging in to a database over the network, with or without TLS, and statements at its local socket.

In: account, password, certificate. Out: `logged in`, or the server's error number. Holds: passwords come by standard
input and leave this process towards the server only, scrambled as the protocol has it.
"""

import hashlib
import os
import socket
import ssl
import struct
import subprocess
from collections.abc import Mapping
from typing import Any

_SSL, _PROTOCOL_41, _SECURE, _PLUGIN = 0x800, 0x200, 0x8000, 0x80000
_PATIENCE_S = 5.0


def log_in(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`address`, `port`, `user`, `password`; `tries`: label -> {certificate, key}, or None for no TLS at all."""
    return {label: _try_one(request, pair) for label, pair in request["tries"].items()}


def run_statements(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`user`, `password` (empty: root by the socket); `statements`: label -> SQL. Out: `done`, rows, or the error."""
    held = os.memfd_create("client")
    try:
        os.fchmod(held, 0o600)  # the client passes over a file that others may write
        os.write(held, f'[client]\npassword="{request["password"]}"\n'.encode())
        # The account by name as well: without its password it is refused, and is never root's by mistake.
        login = [f"--defaults-file=/proc/self/fd/{held}", f"--user={request['user']}"]
        return {
            label: _run(["mariadb", *login, "--batch", "--skip-column-names"], sql, held)
            for label, sql in request["statements"].items()
        }
    finally:
        os.close(held)


def _run(argv: "list[str]", sql: str, held: int) -> str:
    done = subprocess.run(
        argv, input=sql, capture_output=True, text=True, check=False, pass_fds=(held,), timeout=20
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "ERROR"
    return done.stdout.strip() or "done"


def _try_one(request: "Mapping[str, Any]", pair: "Mapping[str, str] | None") -> str:
    try:
        with socket.create_connection((request["address"], int(request["port"])), timeout=_PATIENCE_S) as raw:
            greeting = packet(raw)
            if not greeting or greeting[0] == 0xFF:
                return f"refused: {_said(greeting)}"
            capabilities = _PROTOCOL_41 | _SECURE | _PLUGIN | (_SSL if pair is not None else 0)
            head = struct.pack("<IIB23x", capabilities, 1 << 24, 45)
            if pair is None:
                return _finish(raw, head, greeting, request, 1)
            raw.sendall(struct.pack("<I", len(head) | 1 << 24) + head)
            with _context(pair).wrap_socket(raw) as wire:
                return _finish(wire, head, greeting, request, 2)
    except ssl.SSLError as error:
        return f"refused: {error.reason}"
    except OSError as error:
        return f"refused: {error.strerror or error}"


def _context(pair: "Mapping[str, str]") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whom we ask is not the question here, but who may ask.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if pair:
        held = os.memfd_create("pair")
        os.write(held, (pair["certificate"] + pair["key"]).encode())
        context.load_cert_chain(f"/proc/self/fd/{held}")
        os.close(held)
    return context


def _finish(wire: socket.socket, head: bytes, greeting: bytes, request: "Mapping[str, Any]", number: int) -> str:
    scrambled = scramble(str(request["password"]), salt(greeting))
    body = head + str(request["user"]).encode() + b"\0" + bytes([len(scrambled)]) + scrambled
    body += b"mysql_native_password\0"
    wire.sendall(struct.pack("<I", len(body) | number << 24) + body)
    answer = packet(wire)
    if answer[:1] == b"\xfe":
        again = scramble(str(request["password"]), answer.split(b"\0", 1)[1][:20])
        wire.sendall(struct.pack("<I", len(again) | (number + 2) << 24) + again)
        answer = packet(wire)
    return "logged in" if answer[:1] == b"\0" else f"refused: {_said(answer)}"


def scramble(password: str, salt: bytes) -> bytes:
    """As mysql_native_password proves that a password is known."""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 (the protocol's own)
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()  # noqa: S324
    return bytes(a ^ b for a, b in zip(once, mask, strict=False))


def salt(greeting: bytes) -> bytes:
    """What a server's greeting wants scrambled with the password."""
    at = greeting.index(b"\0", 1) + 5
    return greeting[at : at + 8] + greeting[at + 27 : at + 39]


def packet(wire: socket.socket) -> bytes:
    """The body of the next one; empty when the other side closed."""
    head = _exactly(wire, 4)
    return _exactly(wire, int.from_bytes(head[:3], "little")) if head else b""


def _exactly(wire: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = wire.recv(size - len(content))
        if not part:
            return b""
        content += part
    return content


def _said(packet: bytes) -> str:
    return f"error {int.from_bytes(packet[1:3], 'little')}" if packet[:1] == b"\xff" else "closed"
