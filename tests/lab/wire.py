"""What travels between machines: a capture on one of them while something happens.

Out: `Capture`: the bytes, and how many packets went to or from each TCP port.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.lab.commands import Commands, process_environment

# Without immediate mode the kernel hands packets over by the second, and a short conversation was not seen at all.
_SCRIPT = "tcpdump -i priv0 -s 0 -U --immediate-mode -w - 'tcp and not port 22' & cat >/dev/null; sleep 0.5; kill $!; wait"


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
    """Capture while the block runs."""
    argv = commands.argv("exec", machine, "--", "sh", "-c", _SCRIPT)
    taken = Capture()
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as tcpdump:
        assert tcpdump.stderr is not None
        for line in tcpdump.stderr:
            if b"listening on" in line:
                break
        try:
            yield taken
        finally:
            taken.raw, _ = tcpdump.communicate(timeout=90)
    taken.ports = _count_ports(taken.raw)


def _count_ports(raw: bytes) -> Counter[int]:
    assert raw[:4] == b"\xd4\xc3\xb2\xa1", "a little-endian pcap file"
    ports: Counter[int] = Counter()
    at = 24
    while at + 16 <= len(raw):
        (length,) = struct.unpack_from("<I", raw, at + 8)
        frame = raw[at + 16 : at + 16 + length]
        at += 16 + length
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            header = 14 + (frame[14] & 15) * 4
            ports.update(struct.unpack_from("!HH", frame, header))
    return ports
