"""A machine that restarts, watched by its neighbour: what does it say, and when?

In: an address, ports that its wall must not open to this host. Out: every frame that came from it, and when, by this
computer's clock since it started; which ports answered. Holds: probes leave all the time, by the hardware address that
it had before, so they meet it as soon as its interface is up, before it has asked for anybody.
"""

import contextlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober.frames import ETHERNET, TCP, Path, parse_answer, syn_frames
from bastide.prober.routes import find_path
from bastide.prober.sending import packet_socket
from bastide.prober.sweep import MARK

_EVERY_S = 0.02
_EVERYTHING = 3
_MOST = 20_000
_KINDS = {0x0806: "ARP", 0x0800: "IPv4", 0x86DD: "IPv6"}
_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 112: "VRRP"}


def watch_boot(request: "Mapping[str, Any]", say: "Callable[[dict[str, Any]], None]") -> "dict[str, Any]":
    """`target`, `ports`, `source_port`. Until a line comes on standard input."""
    path = find_path(str(request["target"]))
    if path is None:
        raise OSError(f"no way to {request['target']}")
    source_port = int(request["source_port"])
    frames, size = syn_frames(path, source_port, MARK << 16 | source_port, sorted(request["ports"]))
    heard: list[tuple[float, str]] = []
    answered: dict[int, float] = {}
    sent = 0
    with packet_socket(path.interface, _EVERYTHING, _from(path.next_mac), 8 << 20) as raw:
        say({"ready": True})
        while not select.select([sys.stdin.buffer], [], [], _EVERY_S)[0]:
            for at in range(0, len(frames), size):
                with contextlib.suppress(OSError):  # the cable's other end is down just now
                    raw.send(frames[at : at + size])
                    sent += 1
            for frame in _drain(raw):
                if len(heard) < _MOST:
                    heard.append((time.monotonic(), _told(frame)))
                answer = parse_answer(frame) if _is_for(frame, path, source_port) else None
                if answer is not None:
                    answered.setdefault(answer.port, time.monotonic())
    return {"sent": sent, "heard": heard, "answered": {str(port): at for port, at in answered.items()}}


def boot_times(_: "Mapping[str, Any]") -> "dict[str, Any]":
    """When this system began, when its wall stood, and what the wall dropped since, in seconds of its own clock."""
    began = _show("UserspaceTimestampMonotonic")
    wall = _show("ActiveEnterTimestampMonotonic", "bastide-firewall.service")
    state = subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, check=False)
    return {"began_s": began / 1e6, "wall_s": wall / 1e6, "state": state.stdout.strip(), "clock": time.monotonic()}


def reboot(_: "Mapping[str, Any]") -> str:
    """In order, as an administrator would."""
    subprocess.Popen(
        ["sh", "-c", "sleep 0.3; exec systemctl reboot"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True, cwd=os.sep,
    )  # fmt: skip
    return "asked for"


def _show(name: str, *unit: str) -> int:
    done = subprocess.run(
        ["systemctl", "show", "--value", "-p", name, *unit], capture_output=True, text=True, check=True
    )
    return int(done.stdout.strip() or 0)


def _from(mac: bytes) -> "list[tuple[int, int, int, int]]":
    high, low = struct.unpack("!IH", mac)
    return [
        (0x20, 0, 0, 6), (0x15, 0, 3, high), (0x28, 0, 0, 10), (0x15, 0, 1, low), (6, 0, 0, 0xFFFF), (6, 0, 0, 0)
    ]  # fmt: skip


def _drain(raw: Any) -> "list[bytes]":
    frames = []
    while True:
        try:
            frames.append(raw.recv(256))
        except BlockingIOError:
            return frames


def _is_for(frame: bytes, path: Path, source_port: int) -> bool:
    at = ETHERNET + (40 if path.ip6 else (frame[ETHERNET] & 15) * 4)
    protocol = frame[20] if path.ip6 else frame[23] if len(frame) > ETHERNET + 20 else 0
    return protocol == TCP and len(frame) >= at + 4 and struct.unpack_from("!H", frame, at + 2)[0] == source_port


def _told(frame: bytes) -> str:
    kind = struct.unpack_from("!H", frame, 12)[0]
    protocol = frame[23] if kind == 0x0800 else frame[20] if kind == 0x86DD else -1
    return f"{_KINDS.get(kind, hex(kind))} {_PROTOCOLS.get(protocol, '')}".strip()
