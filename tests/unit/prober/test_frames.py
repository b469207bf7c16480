"""Packets as bytes: what the kernel would refuse, a test refuses first."""

from __future__ import annotations

import socket
import struct

import pytest

from bastide.prober.frames import (
    ETHERNET,
    Path,
    checksum_sum,
    fold,
    parse_answer,
    reset_frame,
    syn_frames,
    udp_frames,
)

FOUR = Path("eth0", "10.0.0.1", "10.0.0.2", b"\x02aaaaa", b"\x02bbbbb")
SIX = Path("eth0", "fe80::1", "fe80::2", b"\x02aaaaa", b"\x02bbbbb")


def sums_up(frame: bytes | bytearray, path: Path, protocol: int) -> bool:
    """Whether the transport's checksum is right: over itself it gives all ones."""
    segment = bytes(frame[path.transport_at :])
    family = socket.AF_INET6 if path.ip6 else socket.AF_INET
    pseudo = socket.inet_pton(family, path.source) + socket.inet_pton(family, path.target)
    return fold(checksum_sum(pseudo + struct.pack("!II", len(segment), protocol) + segment)) == 0xFFFF


@pytest.mark.parametrize("path", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_every_port_has_a_probe_of_its_own_with_a_right_checksum(path: Path) -> None:
    frames, size = syn_frames(path, 61100, 0x62610000, range(1, 65536))
    assert len(frames) == 65535 * size
    for port in (1, 22, 255, 256, 443, 65535):
        one = bytes(frames[(port - 1) * size : port * size])
        assert struct.unpack_from("!HH", one, path.transport_at) == (61100, port)
        assert sums_up(one, path, 6)
    broken = bytearray(frames[:size])
    broken[path.transport_at + 3] ^= 1
    assert not sums_up(broken, path, 6), "the control: a changed port no longer fits its checksum"


@pytest.mark.parametrize("path", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_datagrams_and_resets_have_right_checksums(path: Path) -> None:
    frames, size = udp_frames(path, 61050, [53, 161], b"a word")
    assert all(sums_up(frames[at : at + size], path, 17) for at in (0, size))
    assert sums_up(reset_frame(path, 61100, 443, 7), path, 6)


def answer(flags: int, *, port: int = 443) -> bytes:
    segment = struct.pack("!HHIIBBHHH", port, 61100, 5, 9, 5 << 4, flags, 0, 0, 0)
    return bytes(ETHERNET) + b"\x45" + bytes(11) + socket.inet_aton("10.0.0.2") + bytes(4) + segment


def test_an_answer_says_open_closed_or_nothing() -> None:
    opened, closed = parse_answer(answer(0x12)), parse_answer(answer(0x14))
    assert opened is not None and (opened.port, opened.said, opened.acknowledged) == (443, "open", 9)
    assert opened.source == "10.0.0.2"
    assert closed is not None and closed.said == "closed"
    assert parse_answer(answer(0x10)) is None
    assert parse_answer(b"short") is None
