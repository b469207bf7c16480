"""How this host is doing now, from /proc.

In: /proc and the file systems that the settings name. Out: `cpu`, `load1`, `memory`, `disk`, `net_in`, `net_out`,
`connections`, `conntrack`, `vip`.
Holds: rates are since the previous call; what this kernel does not tell is left out, never guessed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import time
from pathlib import Path


class Gauges:
    """Remembers the previous look."""

    def __init__(self, disks: tuple[str, ...], virtual_ip: str | None, proc: Path = Path("/proc")):
        self._disks = disks
        self._address = ipaddress.ip_address(virtual_ip) if virtual_ip else None
        self._proc = proc
        self._open: dict[str, int] = {}
        self._busy: tuple[int, int] | None = None
        self._traffic: tuple[float, int, int] | None = None

    def read(self) -> dict[str, float]:
        """All that can be read."""
        found: dict[str, float] = {}
        for look in (self._cpu, self._memory, self._disk, self._net, self._connections, self._vip):
            with contextlib.suppress(OSError, ValueError, IndexError, KeyError):
                found.update(look())
        return found

    def _text(self, name: str) -> str:
        """Files stay open: to look their names up each second costs more than to read them."""
        if name not in self._open:
            self._open[name] = os.open(f"{self._proc}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        parts, size = [], 0
        while part := os.pread(self._open[name], 1 << 16, size):
            parts.append(part)
            size += len(part)
        return b"".join(parts).decode("ascii", "replace")

    def _cpu(self) -> dict[str, float]:
        times = [int(word) for word in self._text("stat").split("\n", 1)[0].split()[1:9]]
        total, idle = sum(times), times[3] + times[4]
        before, self._busy = self._busy, (total, idle)
        found = {"load1": float(self._text("loadavg").split()[0])}
        if before and total > before[0]:
            found["cpu"] = round(1 - (idle - before[1]) / (total - before[0]), 4)
        return found

    def _memory(self) -> dict[str, float]:
        lines = (line.split() for line in self._text("meminfo").splitlines()[:8])
        kilobytes = {words[0]: int(words[1]) for words in lines}
        return {"memory": round(1 - kilobytes["MemAvailable:"] / kilobytes["MemTotal:"], 4)}

    def _disk(self) -> dict[str, float]:
        used = []
        for path in self._disks:
            found = os.statvfs(path)
            if found.f_blocks:
                # As df: what is reserved for root is not to be had.
                taken = found.f_blocks - found.f_bfree
                used.append(taken / (taken + found.f_bavail))
        return {"disk": round(max(used), 4)} if used else {}

    def _net(self) -> dict[str, float]:
        received = sent = 0
        for line in self._text("net/dev").splitlines()[2:]:
            name, _, rest = line.partition(":")
            if name.strip() != "lo":
                words = rest.split()
                received, sent = received + int(words[0]), sent + int(words[8])
        now = time.monotonic()
        before, self._traffic = self._traffic, (now, received, sent)
        if not before or now <= before[0]:
            return {}
        seconds = now - before[0]
        return {
            "net_in": round(max(0, received - before[1]) / seconds),
            "net_out": round(max(0, sent - before[2]) / seconds),
        }

    def _connections(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in ("net/sockstat", "net/sockstat6"):
            with contextlib.suppress(OSError):
                for line in self._text(name).splitlines():
                    if line.startswith("TCP"):
                        found["connections"] = found.get("connections", 0) + int(line.split()[2])
        with contextlib.suppress(OSError):
            held = int(self._text("sys/net/netfilter/nf_conntrack_count"))
            found["conntrack"] = held / int(self._text("sys/net/netfilter/nf_conntrack_max"))
        return found

    def _vip(self) -> dict[str, float]:
        if self._address is None:
            return {}
        if self._address.version == 6:
            return {"vip": float(self._address.packed.hex() in self._text("net/if_inet6"))}
        # Each address stands above what it is: `|-- 198.51.100.10`, then `/32 host LOCAL`.
        _, *after = self._text("net/fib_trie").split(f"|-- {self._address}\n")
        return {"vip": float(any("host LOCAL" in found.partition("\n")[0] for found in after))}
