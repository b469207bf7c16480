"""Packets as bytes: SYN probes for every port at once, and what comes back.

In: addresses and ports. Out: frames for a packet socket; parsed answers. Pure.
Holds: a packet socket's frames pass no netfilter hook of the sender, so an answer tells of the other host's wall alone.
"""

import socket
import struct
from dataclasses import dataclass

ETH_IP, ETH_IP6 = 0x0800, 0x86DD
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SYN, RST, ACK = 0x02, 0x04, 0x10
ETHERNET = 14


@dataclass(frozen=True)
class Path:
    """How frames get from here to an address."""

    interface: str
    source: str
    target: str
    source_mac: bytes
    next_mac: bytes

    @property
    def ip6(self) -> bool:
        """Whether it is an IPv6 path."""
        return ":" in self.target

    @property
    def kind(self) -> int:
        """EtherType."""
        return ETH_IP6 if self.ip6 else ETH_IP

    @property
    def transport_at(self) -> int:
        """Where in a frame the TCP or UDP header begins."""
        return ETHERNET + (40 if self.ip6 else 20)


@dataclass(frozen=True)
class Answer:
    """What a port said."""

    port: int
    said: str
    """`open`, `closed`, or `unreachable` (by ICMP)."""
    acknowledged: int = 0
    source: str = ""
    """The address that it came from."""


def syn_frames(path: Path, source_port: int, sequence: int, ports: "range | list[int]") -> "tuple[bytearray, int]":
    """One SYN frame for each port, one after the other, and the size of each."""
    header = struct.pack("!HHIIBBHHH", source_port, 0, sequence, 0, 5 << 4, SYN, 1024, 0, 0)
    one = bytearray(_lower(path, TCP, len(header)) + header)
    base = checksum_sum(_pseudo(path, TCP, len(header)) + header)
    return _vary_ports(one, path.transport_at + 2, path.transport_at + 16, base, ports), len(one)


def reset_frame(path: Path, source_port: int, port: int, sequence: int) -> bytes:
    """A RST, so that the other side forgets a handshake that it began to answer."""
    header = struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 5 << 4, RST, 0, 0, 0)
    summed = ~fold(checksum_sum(_pseudo(path, TCP, len(header)) + header)) & 0xFFFF
    return _lower(path, TCP, len(header)) + header[:16] + struct.pack("!H", summed) + header[18:]


def udp_frames(
    path: Path, source_port: int, ports: "range | list[int]", payload: bytes = bytes(8)
) -> "tuple[bytearray, int]":
    """One datagram for each port."""
    header = struct.pack("!HHHH", source_port, 0, 8 + len(payload), 0)
    one = bytearray(_lower(path, UDP, 8 + len(payload)) + header + payload)
    base = checksum_sum(_pseudo(path, UDP, 8 + len(payload)) + header + payload)
    return _vary_ports(one, path.transport_at + 2, path.transport_at + 6, base, ports), len(one)


def parse_answer(frame: bytes) -> Answer | None:
    """What a received TCP frame says; None for anything else. The socket's filter let only answers through."""
    if len(frame) < ETHERNET + 40:
        return None
    ip6 = frame[12:14] == b"\x86\xdd"
    at = ETHERNET + (40 if ip6 else (frame[ETHERNET] & 15) * 4)
    if len(frame) < at + 20:
        return None
    source = socket.inet_ntop(*(socket.AF_INET6, frame[22:38]) if ip6 else (socket.AF_INET, frame[26:30]))
    port, _, _, acknowledged, _, flags = struct.unpack_from("!HHIIBB", frame, at)
    if flags & RST:
        return Answer(port, "closed", source=source)
    if flags & (SYN | ACK) == SYN | ACK:
        return Answer(port, "open", acknowledged, source)
    return None


def checksum_sum(content: bytes) -> int:
    """The sum that the Internet checksum folds."""
    if len(content) % 2:
        content += b"\0"
    return sum(struct.unpack(f"!{len(content) // 2}H", content))


def fold(total: int) -> int:
    """To 16 bits, with the carries added."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _vary_ports(one: bytearray, port_at: int, sum_at: int, base: int, ports: "range | list[int]") -> bytearray:
    # Slices with a stride write one byte of every frame at once: 65,535 frames take milliseconds, not seconds.
    size, every = len(one), bytearray(one * len(ports))
    sums = [~fold(base + port) & 0xFFFF or 0xFFFF for port in ports]
    every[port_at::size] = bytes([port >> 8 for port in ports])
    every[port_at + 1 :: size] = bytes([port & 255 for port in ports])
    every[sum_at::size] = bytes([value >> 8 for value in sums])
    every[sum_at + 1 :: size] = bytes([value & 255 for value in sums])
    return every


def _lower(path: Path, protocol: int, length: int) -> bytes:
    ethernet = path.next_mac + path.source_mac + struct.pack("!H", path.kind)
    if path.ip6:
        return ethernet + struct.pack("!IHBB", 6 << 28, length, protocol, 64) + _addresses(path)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, protocol, 0) + _addresses(path)
    return ethernet + header[:10] + struct.pack("!H", ~fold(checksum_sum(header)) & 0xFFFF) + header[12:]


def _pseudo(path: Path, protocol: int, length: int) -> bytes:
    return _addresses(path) + struct.pack("!II", length, protocol)


def _addresses(path: Path) -> bytes:
    family = socket.AF_INET6 if path.ip6 else socket.AF_INET
    return socket.inet_pton(family, path.source) + socket.inet_pton(family, path.target)
