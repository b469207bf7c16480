"""What this host's own wall lets out, judged by sending.

In: targets and ports. Out: for each target the ports whose probe left. Needs root.
Holds: a raw socket's packet passes the output hook, and the kernel says at once when a rule refused it (EPERM); so
every port is judged by a packet of its own, without waiting. What leaves is a SYN that our own kernel resets when
it is answered, or a datagram of eight zero bytes.
"""

import errno
import socket
import time
from collections.abc import Mapping
from typing import Any

from bastide.prober.frames import ETHERNET, Path, syn_frames, udp_frames
from bastide.prober.routes import find_path

_IPV6_HDRINCL, _RAW = 36, 255
_REFUSED = (errno.EPERM, errno.EACCES)


def try_egress(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`targets`; `tcp`, `udp`: "all" or lists of ports; `source_port`."""
    return {target: _try_one(target, request) for target in request["targets"]}


def _try_one(target: str, request: "Mapping[str, Any]") -> "dict[str, Any]":
    path = find_path(target)
    if path is None:
        return {"tcp": [], "udp": [], "sent": 0, "why": "no way there"}
    began = time.monotonic()
    tcp, udp = (range(1, 65536) if request[name] == "all" else sorted(request[name]) for name in ("tcp", "udp"))
    left = {
        "tcp": _let_out(path, *syn_frames(path, int(request["source_port"]), 1, tcp), tcp),
        "udp": _let_out(path, *udp_frames(path, int(request["source_port"]), udp), udp),
    }
    return {**left, "sent": len(tcp) + len(udp), "seconds": round(time.monotonic() - began, 3)}


def _let_out(path: Path, frames: bytearray, size: int, ports: "range | list[int]") -> "list[int]":
    family = socket.AF_INET6 if path.ip6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, _RAW) as raw:
        if path.ip6:
            raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
            where: tuple[Any, ...] = (path.target, 0, 0, socket.if_nametoindex(path.interface))
        else:
            where = (path.target, 0)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, path.interface.encode())
        view, out = memoryview(frames), []
        for index, port in enumerate(ports):
            at = index * size
            if _send(raw, view[at + ETHERNET : at + size], where):
                out.append(port)
    return out


def _send(raw: socket.socket, packet: memoryview, where: "tuple[Any, ...]") -> bool:
    while True:
        try:
            raw.sendto(packet, where)
        except OSError as error:
            if error.errno in _REFUSED:
                return False
            if error.errno != errno.ENOBUFS:
                raise
            time.sleep(0.0005)
        else:
            return True
