"""The lab's cables: two bridges a lab, and for each machine a network namespace with one veth pair a network.

In: a lab's networks and machines. Out: commands for `ip -batch` (pure), and their execution. Holds: bridges
forward everything at once, multicast too (no spanning tree, no snooping: VRRP must pass); nothing here
touches the host's firewall, routing or sysctls, so a lab has no way out.

A machine runs in a namespace that we make, rather than in one of nspawn's: its interfaces then have their
names (`priv0`, `pub0`) and MAC addresses before it boots, and deleting its cables takes effect at once.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bastide.lab.command import run
from bastide.lab.errors import CommandFailed
from bastide.lab.names import LabNetworks, namespace, private_link, public_link
from bastide.lab.spec import MachineSpec

_INTERFACES: Final = Path("/sys/class/net")
_NAMESPACES: Final = Path("/run/netns")
_IFF_UP: Final = 1


def bridge_commands(networks: LabNetworks) -> list[str]:
    """Commands that give both (existing) bridges their settings and this computer's addresses."""
    commands: list[str] = []
    for bridge, net4, net6 in (
        (networks.public_bridge, networks.public, networks.public6),
        (networks.private_bridge, networks.private, networks.private6),
    ):
        commands += [
            # One of its own. A bridge otherwise borrows the lowest of its ports', so that killing that machine
            # would change this computer's address under the others, who go on answering to the old one.
            f"link set {bridge} address {_mac(bridge)}",
            f"link set {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"addr replace {net4[1]}/{net4.prefixlen} dev {bridge}",
            f"addr replace {net6[1]}/{net6.prefixlen} dev {bridge} nodad",
            f"link set {bridge} up",
        ]
    return commands


def cable_commands(networks: LabNetworks, machine: MachineSpec) -> list[str]:
    """Commands that plug a machine in; its namespace and cables must not exist."""
    inside = namespace(networks.index, machine.name)
    commands = [f"netns add {inside}"]
    for link, interface, bridge in _cables(networks, machine):
        commands += [
            f"link add {link} type veth peer name {interface} netns {inside} address {_mac(link)}",
            f"link set {link} addrgenmode none master {bridge} up",
        ]
    return commands


def address_commands(machine: MachineSpec) -> list[str]:
    """Commands, to be run inside its namespace, that give a machine its addresses before it boots.

    networkd in the machine finds them and keeps them; they must look as it would make them (without the
    broadcast address it fails, "Numerical result out of range", and network-online.target waits for two
    minutes). The interfaces stay down, as those of a real machine do until its own system raises them: else this
    kernel would answer for a machine whose wall does not stand yet.
    """
    commands: list[str] = []
    for interface, address4, address6 in (
        ("priv0", machine.private, machine.private6),
        ("pub0", machine.public, machine.public6),
    ):
        if address4 is not None:
            commands.append(f"addr add {address4} brd + dev {interface}")
            commands += [f"addr add {address6} dev {interface} nodad"] if address6 is not None else []
            # The link-local address is left to networkd, which makes it without a second of duplicate detection.
            commands.append(f"link set {interface} addrgenmode none")
    return commands


def replug_script(networks: LabNetworks, machine: MachineSpec) -> str:
    """A shell script that replaces the cables of a machine that has just ended by fresh ones."""
    inside = namespace(networks.index, machine.name)
    removal = [f"ip link del {link} 2>/dev/null" for link in _links(networks, machine.name)]
    return "\n".join(
        [
            *removal,
            f"ip netns del {inside}",
            "set -e",
            *(f"ip {command}" for command in cable_commands(networks, machine)),
            *(f"ip -netns {inside} {command}" for command in address_commands(machine)),
            "",
        ]
    )


def ensure_bridges(networks: LabNetworks) -> None:
    """Make the lab's bridges if they are missing, and set them right either way."""
    missing = [b for b in _bridges(networks) if not (_INTERFACES / b).exists()]
    _ip([*(f"link add {bridge} type bridge" for bridge in missing), *bridge_commands(networks)])


def plug(networks: LabNetworks, machines: Sequence[MachineSpec]) -> None:
    """Give machines that are not running fresh namespaces and cables."""
    unplug(networks, *(machine.name for machine in machines))
    _ip([command for machine in machines for command in cable_commands(networks, machine)])
    for machine in machines:
        _ip(address_commands(machine), inside=namespace(networks.index, machine.name))


def unplug(networks: LabNetworks, *machines: str) -> None:
    """Delete machines' cables, so that nobody hears from them any more, and the names of their namespaces.

    What goes by itself while we look (the kernel clears a dead namespace's cables in its own time) is gone,
    and no failure; what comes meanwhile (a raising that is being killed) is looked for once more.
    """
    links = [link for machine in machines for link in _links(networks, machine)]
    inside = [namespace(networks.index, machine) for machine in machines]
    for last in (False, False, True):
        commands = [f"link del {link}" for link in links if (_INTERFACES / link).exists()]
        commands += [f"netns del {name}" for name in inside if (_NAMESPACES / name).exists()]
        if not commands:
            return
        try:
            _ip(commands, "-force")
        except CommandFailed:
            if last:
                raise


def set_cables(networks: LabNetworks, machine: str, *, plugged: bool) -> None:
    """Take the machine's cables down or up; it sees its carrier go or come."""
    present = [link for link in _links(networks, machine) if (_INTERFACES / link).exists()]
    _ip([f"link set {link} {'up' if plugged else 'down'}" for link in present])


def is_cut(networks: LabNetworks, machine: str) -> bool:
    """Whether one of the machine's cables is down."""
    for link in _links(networks, machine):
        # Absent, or going while we read (a machine that reboots gets fresh ones): not a cable that is down.
        with contextlib.suppress(OSError):
            if not int((_INTERFACES / link / "flags").read_text(), 16) & _IFF_UP:
                return True
    return False


def remove_bridges(networks: LabNetworks) -> None:
    """Delete the lab's bridges if they exist."""
    _ip([f"link del {bridge}" for bridge in _bridges(networks) if (_INTERFACES / bridge).exists()])


def _bridges(networks: LabNetworks) -> tuple[str, str]:
    return networks.public_bridge, networks.private_bridge


def _links(networks: LabNetworks, machine: str) -> tuple[str, str]:
    return private_link(networks.index, machine), public_link(networks.index, machine)


def _cables(networks: LabNetworks, machine: MachineSpec) -> list[tuple[str, str, str]]:
    private, public = _links(networks, machine.name)
    cables: list[tuple[str, str, str]] = []
    if machine.private is not None:
        cables.append((private, "priv0", networks.private_bridge))
    if machine.public is not None:
        cables.append((public, "pub0", networks.public_bridge))
    return cables


def _mac(link: str) -> str:
    # The same after every boot, as a real card's: peers' neighbour tables stay right. 02: locally
    # administered.
    return "02:" + hashlib.sha256(link.encode()).digest()[:5].hex(":")


def _ip(commands: Sequence[str], *options: str, inside: str | None = None) -> None:
    if commands:
        where = ["-netns", inside] if inside else []
        # It ends when we are killed: what went on plugging would do so under whoever cleans up after us.
        ending_with_us = ("setpriv", "--pdeathsig", "KILL", "--")
        run([*ending_with_us, "ip", *where, *options, "-batch", "-"], stdin="\n".join(commands) + "\n")
