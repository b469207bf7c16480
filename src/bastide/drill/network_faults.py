"""Packets that do not arrive: a share of them, or all between some hosts.

In: FaultSpec, Ground. Holds: the rules stand in a table of their own on the target's host, before its wall; SSH of the
controller is spared, so that they can be taken away again; a reboot takes them away too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultWithoutEffect
from bastide.drill.scenario import FaultSpec

_TABLE = "bastide_drill"


@dataclass(frozen=True)
class _NetworkFault(ABC):
    spec: FaultSpec
    ground: Ground

    @abstractmethod
    def rules(self, host: str) -> list[str]:
        """Lines of the chain for what comes in, each with a counter."""

    def begin(self) -> None:
        """Load the table."""
        for host in self.spec.targets:
            chains = "\n".join(
                f"  chain {name} {{ type filter hook {hook} priority -310;\n"
                f"    tcp dport 22 accept\n    tcp sport 22 accept\n    {lines}\n  }}"
                for name, hook, lines in (
                    ("arriving", "input", "\n    ".join(self.rules(host))),
                    ("leaving", "output", "\n    ".join(self.rules(host))),
                )
            )
            text = f"table inet {_TABLE} {{\n{chains}\n}}\n"
            self.ground.shell(
                host, f"nft delete table inet {_TABLE} 2>/dev/null || true\nnft -f - <<'END'\n{text}END"
            )

    def proof(self) -> dict[str, Any]:
        """Packets were dropped."""
        dropped = {}
        for host in self.spec.targets:
            count = (
                f"nft list table inet {_TABLE} | grep -o 'packets [0-9]*' | awk '{{n += $2}} END {{print n + 0}}'"
            )
            said = self.ground.shell(
                host, f"for i in $(seq 50); do n=$({count}); [ $n -gt 0 ] && break; sleep 0.1; done; echo $n"
            )
            dropped[host] = int(said)
        if not all(dropped.values()):
            raise FaultWithoutEffect(f"no packet was dropped: {dropped}")
        return {"packets dropped at first sight": dropped}

    def end(self) -> None:
        """Remove it."""
        for host in self.spec.targets:
            self.ground.shell(host, f"nft delete table inet {_TABLE} 2>/dev/null || true")


class LosePackets(_NetworkFault):
    """A share of all packets, both ways."""

    def rules(self, host: str) -> list[str]:
        """By the kernel's random numbers."""
        return [f"numgen random mod 1000 < {round(self.spec.share * 1000)} counter drop"]


class PartHosts(_NetworkFault):
    """All packets from and to the peers."""

    def rules(self, host: str) -> list[str]:
        """By their addresses."""
        found = []
        for peer in self.spec.peers:
            for address in self.ground.topology.hosts[peer].addresses:
                family = "ip" if address.version == 4 else "ip6"
                found += [f"{family} {way} {address} counter drop" for way in ("saddr", "daddr")]
        return found
