"""Names and numbers that belong to a lab, derived from its index: bridges, links, namespaces, subnets.

In: a lab's name and index, a machine's name. Out: names and networks. Holds: an interface name has at most 15
characters and says whose it is (`bst3-web1-p`), and two labs never share a name or an address.
"""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from bastide.lab.errors import LabError

MAX_LABS: Final = 256
_MAX_INTERFACE_NAME: Final = 15
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ULA_PREFIX: Final = int(ipaddress.IPv6Address("fdba:571d:e000::"))


@dataclass(frozen=True, kw_only=True)
class LabNetworks:
    """The two networks of one lab; this computer has the first address of each."""

    index: int
    """Which of the lab slots this is, 0 to 255; every name and subnet follows from it."""
    public: IPv4Network
    private: IPv4Network
    public6: IPv6Network
    private6: IPv6Network
    public_bridge: str
    private_bridge: str


def lab_networks(index: int) -> LabNetworks:
    """The networks of the lab in slot `index` (0 to 255)."""
    if not 0 <= index < MAX_LABS:
        raise ValueError(f"a lab's index is 0 to {MAX_LABS - 1}, not {index}")
    return LabNetworks(
        index=index,
        # 198.18.0.0/15 is reserved for benchmarks (RFC 2544): it stands for the internet and is never routed.
        public=IPv4Network(f"198.18.{index}.0/24"),
        private=IPv4Network(f"10.213.{index}.0/24"),
        public6=_ula(2 * index),
        private6=_ula(2 * index + 1),
        public_bridge=f"bst{index}-pub",
        private_bridge=f"bst{index}-prv",
    )


def check_name(kind: str, name: str) -> str:
    """The name itself when it may name a lab or a machine (it becomes a directory and a host name)."""
    if not _NAME.fullmatch(name):
        raise LabError(
            f"{name!r} cannot name a {kind}",
            hint="Use a lower-case letter, then up to 39 lower-case letters, digits and hyphens.",
        )
    return name


def private_link(index: int, machine: str) -> str:
    """This computer's end of the cable to the machine's `priv0`."""
    return _link(index, machine, "p")


def public_link(index: int, machine: str) -> str:
    """This computer's end of the cable to the machine's `pub0`."""
    return _link(index, machine, "u")


def namespace(index: int, machine: str) -> str:
    """The network namespace (`ip netns`) that the machine runs in."""
    return f"bst{index}-{machine}"


def _link(index: int, machine: str, side: str) -> str:
    readable = f"bst{index}-{machine}-{side}"
    if len(readable) <= _MAX_INTERFACE_NAME:
        return readable
    return f"bst{index}-{hashlib.sha256(machine.encode()).hexdigest()[:6]}-{side}"


def _ula(subnet: int) -> IPv6Network:
    return IPv6Network((_ULA_PREFIX | subnet << 64, 64))
