"""The lab's answer to what a spec leaves open: addresses, the virtual IP, who administers.

In: a Spec and the networks that were reserved for the lab. Out: a Spec as it would stand for real servers, and the
address plan of the machines. Holds: pure; after this, lab and servers are the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import count

from bastide.spec.model import Spec
from bastide.spec.parts import Ssh

_VIRTUAL, _CLIENT, _FIRST_HOST = 5, 9, 10
LOCAL_SUFFIXES = (".test", ".localhost")


class LabTooLarge(Exception):
    """More machines than the lab's network has addresses."""

    hint = "bastide destroy gives the addresses of machines that left the spec free again"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabAddresses:
    """Where everything stands in a lab."""

    private: Mapping[str, IPv4Interface]
    public: Mapping[str, IPv4Interface]
    """Balancers, which the internet reaches, then monitors, which ask for the site from outside as clients do."""
    client: IPv4Interface
    """The internet machine; it stands in the public network only."""
    virtual_ip: IPv4Address | None
    controller: IPv4Address
    """This computer, in the private network."""
    gateway: IPv4Address
    """This computer, in the public network."""

    @property
    def edge(self) -> IPv4Address:
        """Where the domains lead: the virtual IP, or the first balancer."""
        return self.virtual_ip or next(iter(self.public.values())).ip


def derive_lab_addresses(
    spec: Spec, public: IPv4Network, private: IPv4Network, *, known: Mapping[str, IPv4Interface] | None = None
) -> LabAddresses:
    """The address plan: machines that the lab has already keep theirs, others follow in spec order.

    `known`: private addresses of the lab's machines, those that have left the spec among them. Raises LabTooLarge.
    """
    balancers = [name for name, host in spec.hosts.items() if "balancer" in host.roles]
    monitors = [name for name, host in spec.hosts.items() if "monitor" in host.roles and name not in balancers]
    wants_virtual = spec.balancer.virtual_ip != "none" and len(balancers) > 1

    def interface(network: IPv4Network, offset: int) -> IPv4Interface:
        return IPv4Interface((network[offset], network.prefixlen))

    offsets = {name: int(have.ip) - int(private[0]) for name, have in (known or {}).items()}
    taken = set(offsets.values())
    free = (offset for offset in count(_FIRST_HOST) if offset not in taken)
    offsets = {name: offsets[name] if name in offsets else next(free) for name in spec.hosts}
    if max(offsets.values()) >= private.num_addresses - 1:
        machines = len(taken | set(offsets.values()))
        raise LabTooLarge(f"a lab's network has no addresses for {machines} machines")
    return LabAddresses(
        private={name: interface(private, offset) for name, offset in offsets.items()},
        public={name: interface(public, offsets[name]) for name in (*balancers, *monitors)},
        client=interface(public, _CLIENT),
        virtual_ip=public[_VIRTUAL] if wants_virtual else None,
        controller=private[1],
        gateway=public[1],
    )


def assign_addresses(spec: Spec, addresses: LabAddresses) -> Spec:
    """The spec as the lab runs it. Addresses of real servers that stand in it are replaced."""
    hosts = {
        name: host.model_copy(
            update={
                "address": addresses.private[name].ip,
                "public": addresses.public[name].ip if name in addresses.public else None,
                "ssh": None,
            }
        )
        for name, host in spec.hosts.items()
    }
    balancer = spec.balancer.model_copy(
        update={"virtual_ip": addresses.virtual_ip or "none", "interface": "pub0" if addresses.virtual_ip else None}
    )
    admin = (IPv4Network((addresses.controller, 32)),)
    return spec.model_copy(
        update={
            "hosts": hosts,
            "balancer": balancer,
            "domains": lab_domains(spec),
            "ssh": Ssh(),
            "firewall": spec.firewall.model_copy(update={"admin": admin}),
            # Its machines have no way out, and share this computer's clock.
            "system": spec.system.model_copy(update={"unattended_upgrades": False, "time_sync": False}),
        }
    )


def lab_domains(spec: Spec) -> tuple[str, ...]:
    """The spec's domains, and one that may be pointed at the lab on this computer without shadowing a real site."""
    if any(domain.endswith(LOCAL_SUFFIXES) for domain in spec.domains):
        return spec.domains
    return (*spec.domains, f"{spec.name}.bastide.test")


def local_domain(spec: Spec) -> str:
    """The first domain that this computer may resolve to the lab."""
    return next(domain for domain in lab_domains(spec) if domain.endswith(LOCAL_SUFFIXES))
