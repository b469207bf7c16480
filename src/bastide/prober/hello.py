"""The first message of a TLS conversation, written by hand, so that anything can be offered. Pure.

In: version, cipher suites, name. Out: a record; what the other side's first record says.
"""

import struct

VERSIONS = {"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303}
GOOD_12 = frozenset({0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9})
"""ECDHE with AES-GCM or ChaCha20-Poly1305: Mozilla's intermediate list without finite-field groups."""
SIGNALS = frozenset({0x00FF, 0x5600})
"""Numbers that are no suites: secure renegotiation, and "this is a second, lower try"."""
_RANGES = (range(0x0001, 0x00C8), range(0xC001, 0xC0B6), range(0xCC13, 0xCCAF), range(0xD001, 0xD006))
EVERY = frozenset(number for some in _RANGES for number in some) - SIGNALS
"""Every suite of TLS 1.2 and earlier that was ever registered, and the drafts that were in use."""


def client_hello(version: int, suites: "list[int]", name: str) -> bytes:
    """A record with a ClientHello."""
    server = name.encode()
    extensions = b"".join(
        [
            _extension(0, struct.pack("!HBH", len(server) + 3, 0, len(server)) + server),
            _extension(10, struct.pack("!H4H", 8, 0x001D, 0x0017, 0x0018, 0x0019)),
            _extension(11, b"\x01\x00"),
            _extension(13, struct.pack("!H9H", 18, 0x403, 0x503, 0x603, 0x804, 0x805, 0x806, 0x401, 0x501, 0x201)),
        ]
    )
    body = struct.pack("!H", version) + bytes(range(32)) + b"\0"
    body += struct.pack("!H", 2 * len(suites)) + struct.pack(f"!{len(suites)}H", *suites) + b"\x01\x00"
    if version > 0x0300:
        body += struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return struct.pack("!BHH", 22, min(version, 0x0301), len(message)) + message


def read_answer(record: bytes) -> str:
    """`version suite` of a ServerHello; `alert N`; `closed` for nothing."""
    if not record:
        return "closed"
    if record[0] == 21 and len(record) >= 7:
        return f"alert {record[6]}"
    if record[0] == 22 and len(record) > 44 and record[5] == 2:
        version, session = struct.unpack_from("!H", record, 9)[0], record[43]
        return f"{version:04x} {struct.unpack_from('!H', record, 44 + session)[0]:04x}"
    return f"not TLS: {record[:16]!r}"


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack("!HH", number, len(content)) + content
