"""The files that make a copy of the image into one particular machine.

In: the machine, its neighbours, keys. Out: path inside the machine -> content and mode. Holds: pure,
byte-stable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from bastide.lab.names import LabNetworks
from bastide.lab.spec import MachineSpec


@dataclass(frozen=True, kw_only=True)
class SeedFile:
    """One file to write before a machine boots."""

    content: str
    mode: int = 0o644


def seed_files(
    machine: MachineSpec,
    *,
    networks: LabNetworks,
    neighbours: Sequence[MachineSpec],
    machine_id: str,
    authorized_key: str,
    host_key: str,
    host_key_public: str,
) -> dict[str, SeedFile]:
    """Everything that is the machine's own, by path."""
    files = {
        "/etc/hostname": SeedFile(content=f"{machine.name}\n"),
        "/etc/machine-id": SeedFile(content=f"{machine_id}\n", mode=0o444),
        "/etc/hosts": SeedFile(content=_hosts(neighbours)),
        "/etc/resolv.conf": SeedFile(content=_resolv_conf(machine.resolver)),
        "/root/.ssh/authorized_keys": SeedFile(content=authorized_key.strip() + "\n", mode=0o600),
        "/etc/ssh/ssh_host_ed25519_key": SeedFile(content=host_key, mode=0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": SeedFile(content=host_key_public),
    }
    if machine.private is not None:
        # One default route: over the public network where there is one.
        gateways = (networks.private[1], networks.private6[1]) if machine.public is None else None
        files["/etc/systemd/network/10-priv0.network"] = SeedFile(
            content=_network("priv0", machine.private, machine.private6, gateways)
        )
    if machine.public is not None:
        files["/etc/systemd/network/10-pub0.network"] = SeedFile(
            content=_network("pub0", machine.public, machine.public6, (networks.public[1], networks.public6[1]))
        )
    return files


def _hosts(machines: Sequence[MachineSpec]) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{machine.reachable_at} {machine.name}" for machine in machines]
    return "\n".join(lines) + "\n"


def _resolv_conf(resolver: IPv4Address | None) -> str:
    return f"nameserver {resolver}\n" if resolver else "# This machine has no name server.\n"


def _network(
    interface: str,
    address: IPv4Interface,
    address6: IPv6Interface | None,
    gateways: tuple[IPv4Address, IPv6Address] | None,
) -> str:
    # A cable that is pulled and plugged in again must find the addresses still there, as with a static server
    # configuration; and nothing on this wire duplicates an address, so waiting a second for DAD buys nothing.
    lines = [
        "[Match]",
        f"Name={interface}",
        "",
        "[Network]",
        f"Address={address}",
        *([f"Gateway={gateways[0]}"] if gateways else []),
        *([f"Gateway={gateways[1]}"] if gateways and address6 is not None else []),
        "DHCP=no",
        "LinkLocalAddressing=ipv6",
        "IPv6AcceptRA=no",
        "IPv6DuplicateAddressDetection=0",
        "ConfigureWithoutCarrier=yes",
        "IgnoreCarrierLoss=yes",
        "LLDP=no",
        "EmitLLDP=no",
        # Addresses that another program adds (a virtual IP) are not networkd's to remove.
        "KeepConfiguration=static",
    ]
    if address6 is not None:
        lines += ["", "[Address]", f"Address={address6}", "DuplicateAddressDetection=none"]
    return "\n".join(lines) + "\n"
