"""What travels between machines: a capture on one of them while something happens.

Out: `Capture`: the bytes, and how many packets went to or from each TCP port.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.transport.endpoint import Endpoint
from tests.lab.commands import Commands, process_environment
from tests.waiting import wait_until

# Without immediate mode the kernel hands packets over by the second, and a short conversation was not seen at all. With it
# each packet has a place of the greatest length, rounded up: of the usual 2 MB and 256 KB four are held, and the fifth was
# lost when tcpdump came late. So there are 512.
_TCPDUMP = "tcpdump -i priv0 -s 65535 -B 65536 -U --immediate-mode -w - 'tcp and not port 22'"
_SCRIPT = f"{_TCPDUMP} & cat >/dev/null; kill $!; wait"
_MARK = 1
"""A port that nobody uses."""


@dataclass(kw_only=True)
class Capture:
    """Packets of one machine's private interface; filled when the block ends."""

    raw: bytes = b""
    ports: Counter[int] = field(default_factory=Counter)

    def shows(self, text: str) -> bool:
        """Whether the text travelled in clear."""
        return text.encode() in self.raw


@contextlib.contextmanager
def capture(commands: Commands, machine: str) -> Iterator[Capture]:
    """Capture while the block runs. All of it is seen: so is a packet that this computer sends afterwards."""
    argv = commands.argv("exec", machine, "--", "sh", "-c", _SCRIPT)
    taken = Capture()
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as tcpdump:
        assert tcpdump.stdin is not None and tcpdump.stdout is not None and tcpdump.stderr is not None
        for line in tcpdump.stderr:
            if b"listening on" in line:
                break
        raw = bytearray()
        reader = threading.Thread(target=_read, args=(tcpdump.stdout, raw))
        reader.start()
        try:
            yield taken
            _await_mark(
                choose_target(open_project(commands.spec, commands.environment), "lab").endpoint(machine), raw
            )
        finally:
            tcpdump.stdin.close()
            reader.join()
    taken.raw = bytes(raw)
    taken.ports = _count_ports(taken.raw)


def _read(stream: IO[bytes], into: bytearray) -> None:
    while part := stream.read1(65536):  # type: ignore[attr-defined]
        into += part


def _await_mark(machine: Endpoint, raw: bytearray) -> None:
    """tcpdump may be behind, and what it has not read when it is ended is lost."""

    def marked() -> bool:
        with socket.socket() as knocking:
            knocking.setblocking(False)
            knocking.connect_ex((machine.address, _MARK))  # its wall may drop it: captured all the same
        return len(raw) > 24 and _MARK in _count_ports(bytes(raw))

    wait_until(marked, every_s=0.1)


def _count_ports(raw: bytes) -> Counter[int]:
    assert raw[:4] == b"\xd4\xc3\xb2\xa1", "a little-endian pcap file"
    ports: Counter[int] = Counter()
    at = 24
    while at + 16 <= len(raw):
        (length,) = struct.unpack_from("<I", raw, at + 8)
        if at + 16 + length > len(raw):
            break  # still being written
        frame = raw[at + 16 : at + 16 + length]
        at += 16 + length
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            header = 14 + (frame[14] & 15) * 4
            ports.update(struct.unpack_from("!HH", frame, header))
    return ports
