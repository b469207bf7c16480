"""Words that travel in clear: every packet that arrives here is searched for canaries.

In: canaries. Out: for each way (from, to, port) how many packets came, and which canaries were readable in them.
Holds: the program says `ready` before anything is sent for it to see; packets that the kernel had no room for are
counted, since what was not seen proves nothing. A word that two packets share is found too.
"""

import select
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober.frames import ETH_IP, ETH_IP6, ETHERNET, TCP, UDP
from bastide.prober.routes import addresses
from bastide.prober.sending import packet_socket

_EVERYTHING = [(0x06, 0, 0, 0xFFFF)]
_BUFFER = 16 << 20
_MOST = 65600
_SOL_PACKET, _STATISTICS = 263, 6


def capture(request: "Mapping[str, Any]", say: "Callable[[dict[str, Any]], None]") -> "dict[str, Any]":
    """`canaries`: words; `skip`: ports of no interest. Until a line comes on standard input."""
    words = {name: str(word).encode() for name, word in request["canaries"].items()}
    skipped, ways = frozenset(request["skip"]), _Ways(words)
    sockets = [
        packet_socket(interface, kind, _EVERYTHING, _BUFFER)
        for interface in sorted({a["interface"] for a in addresses()})
        for kind in (ETH_IP, ETH_IP6)
    ]
    say({"ready": True})
    ended = False
    while not ended:
        ended = sys.stdin.buffer in select.select([*sockets, sys.stdin.buffer], [], [])[0]
        for raw in sockets:
            _drain(raw, ways, skipped)
    for raw in sockets:
        _drain(raw, ways, skipped)
    lost = sum(struct.unpack("II", raw.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1] for raw in sockets)
    return {"lost": lost, "ways": ways.told()}


class _Ways:
    """What was seen on each way."""

    def __init__(self, words: "dict[str, bytes]") -> None:
        self._words = words
        self._longest = max(map(len, words.values()))
        self._packets: dict[tuple[str, str, int], int] = {}
        self._readable: dict[tuple[str, str, int], set[str]] = {}
        self._tails: dict[tuple[str, str, int, int], bytes] = {}

    def take(self, source: str, target: str, ports: "tuple[int, int]", payload: bytes) -> None:
        """One packet; the lower port names the service, as listeners' ports of ours all are."""
        way = (source, target, min(ports))
        self._packets[way] = self._packets.get(way, 0) + 1
        if not payload:
            return
        stream = (source, target, *ports)
        text = self._tails.get(stream, b"") + payload
        self._tails[stream] = text[-self._longest :]
        found = {name for name, word in self._words.items() if word in text}
        if found:
            self._readable.setdefault(way, set()).update(found)

    def told(self) -> "list[dict[str, Any]]":
        """As values."""
        return [
            {"from": w[0], "to": w[1], "port": w[2], "packets": n, "readable": sorted(self._readable.get(w, ()))}
            for w, n in self._packets.items()
        ]


def _drain(raw: socket.socket, ways: _Ways, skipped: "frozenset[int]") -> None:
    while True:
        try:
            frame = raw.recv(_MOST)
        except BlockingIOError:
            return
        ip6 = frame[12:14] == b"\x86\xdd"
        protocol = frame[20] if ip6 else frame[23]
        at = ETHERNET + (40 if ip6 else (frame[ETHERNET] & 15) * 4)
        if protocol not in (TCP, UDP) or len(frame) < at + 8:
            continue
        ports = struct.unpack_from("!HH", frame, at)
        if skipped.intersection(ports):
            continue
        begin = at + ((frame[at + 12] >> 4) * 4 if protocol == TCP else 8)
        if ip6:
            source, target = (socket.inet_ntop(socket.AF_INET6, frame[a : a + 16]) for a in (22, 38))
        else:
            source, target = (socket.inet_ntop(socket.AF_INET, frame[a : a + 4]) for a in (26, 30))
        ways.take(source, target, ports, frame[begin:])
