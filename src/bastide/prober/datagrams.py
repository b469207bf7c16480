"""UDP probes past this host's own wall, and the ICMP errors that tell of a wall that let one through.

In: targets, ports, source port. Out: what was sent; ports whose host said "nobody listens here".
"""

import select
import struct
import time
from collections.abc import Mapping
from typing import Any

from bastide.prober.frames import ETHERNET, ICMP, ICMP6, Path, udp_frames
from bastide.prober.routes import find_path
from bastide.prober.sending import packet_socket

_ICMP_ONLY = [(0x30, 0, 0, 23), (0x15, 0, 1, ICMP), (6, 0, 0, 256), (6, 0, 0, 0)]
_ICMP6_ONLY = [(0x30, 0, 0, 20), (0x15, 0, 1, ICMP6), (6, 0, 0, 256), (6, 0, 0, 0)]


def send_datagrams(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`targets`, `ports`, `source_port`, `patience_s`; `payload`: text."""
    return {target: _send(target, sorted(request["ports"]), request) for target in request["targets"]}


def _send(target: str, ports: "list[int]", request: "Mapping[str, Any]") -> "dict[str, Any]":
    path = find_path(target, source=request.get("source"), via=request.get("via"))
    if path is None:
        return {"sent": 0, "unreachable": [], "why": "no way there"}
    source_port = int(request["source_port"])
    frames, size = udp_frames(path, source_port, ports, str(request.get("payload", "\0" * 8)).encode())
    refused: set[int] = set()
    with packet_socket(path.interface, path.kind, _ICMP6_ONLY if path.ip6 else _ICMP_ONLY, 1 << 20) as raw:
        for at in range(0, len(frames), size):
            raw.send(frames[at : at + size])
        end = time.monotonic() + request["patience_s"]
        while (left := end - time.monotonic()) > 0:
            if select.select([raw], [], [], left)[0]:
                port = _refused_port(raw.recv(256), path, source_port)
                refused |= {port} if port else set()
    return {"sent": len(ports), "unreachable": sorted(refused), "from": path.source}


def _refused_port(frame: bytes, path: Path, source_port: int) -> int:
    """Destination port of our datagram that an ICMP error quotes; 0 for other ICMP."""
    outer = ETHERNET + (40 if path.ip6 else (frame[ETHERNET] & 15) * 4)
    inner = outer + 8
    if len(frame) <= inner or frame[outer] != (1 if path.ip6 else 3):
        return 0
    ports_at = inner + (40 if path.ip6 else (frame[inner] & 15) * 4)
    if len(frame) < ports_at + 4:
        return 0
    ours, port = struct.unpack_from("!HH", frame, ports_at)
    return int(port) if ours == source_port else 0
