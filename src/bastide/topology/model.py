"""What an infrastructure consists of, once its spec is resolved: hosts, services, and one list of flows.

In: nothing; these are values. Out: `Topology`, which firewall rules, certificates, upstreams, pictures and checks
are all views of. Holds: a port, a protocol and an encryption stand here, in a flow, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bastide.spec.parts import Role
from bastide.spec.values import IPAddress, IPNetwork

Zone = Literal["internet", "admin", "balancer", "web", "app", "database", "monitor", "witness", "voter", "any"]
"""Where a peer stands: outside (`internet`, `admin`), a role's tier, the hosts that vote on the primary database
(`voter`), or `any` host of ours."""
Encryption = Literal["plain", "tls", "mtls", "ssh"]
Protocol = Literal["tcp", "udp", "vrrp"]
Network = Literal["public", "private"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A machine with addresses; lab machine or real server alike."""

    name: str
    roles: tuple[Role, ...]
    private: IPAddress
    """Where the other hosts reach it."""
    public: IPAddress | None
    """Where the internet reaches it, if it does."""
    votes: bool = False
    """Whether it votes on which database is the primary."""

    def stands_in(self, zone: Zone) -> bool:
        """Whether it belongs to a zone."""
        return zone == "any" or zone in self.roles or (zone == "voter" and self.votes)

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """Every address of the host, private first, without repetition."""
        both = (self.private,) if self.public is None else (self.private, self.public)
        return tuple(dict.fromkeys(both))


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One product instance on one host: "haproxy on lb1"."""

    product: str
    host: str
    unit: str
    """systemd unit that runs it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """One allowed conversation between tiers; it stands for each pair of their hosts."""

    name: str
    """Stable, such as `balancer-web`."""
    source: Zone
    target: Zone
    product: str
    """What listens at the target."""
    port: int | None
    """Port of the listener; None where the protocol has none (vrrp)."""
    protocol: Protocol
    encryption: Encryption
    network: Network
    """Which of the target's addresses is meant."""
    why: str
    external: IPNetwork | None = None
    """For flows to or from outside: the network on the other side; None is anywhere."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A resolved infrastructure."""

    name: str
    domains: tuple[str, ...]
    internal_domain: str
    """Domain of the hosts' internal names, such as `shop.internal`."""
    hosts: Mapping[str, Host]
    """By name, in spec order."""
    services: tuple[Service, ...]
    flows: tuple[Flow, ...]
    virtual_ip: IPAddress | None
    writes_need_standby: bool = False
    """Whether commits wait while no other database acknowledges them."""
    promises_replace_votes: bool = False
    """Whether the primary goes on without most voters while its standby promises not to take over."""

    @cached_property
    def tiers(self) -> Mapping[Zone, tuple[Host, ...]]:
        """Hosts of each role, and of `any`, in spec order."""
        tiers: dict[Zone, tuple[Host, ...]] = {"any": tuple(self.hosts.values())}
        for role in ("balancer", "web", "app", "database", "monitor", "witness"):
            tiers[role] = tuple(h for h in self.hosts.values() if role in h.roles)
        tiers["voter"] = tuple(h for h in self.hosts.values() if h.votes)
        return tiers

    @cached_property
    def _flows_by_name(self) -> Mapping[str, Flow]:
        return {f.name: f for f in self.flows}

    def tier(self, zone: Zone) -> tuple[Host, ...]:
        """Hosts that stand in a zone; none for the zones outside."""
        return self.tiers.get(zone, ())

    def flow(self, name: str) -> Flow:
        """The flow of that name. Raises KeyError: asking for a flow that the layout does not have is a bug."""
        return self._flows_by_name[name]

    def has_flow(self, name: str) -> bool:
        """Whether the layout has that conversation."""
        return name in self._flows_by_name

    def services_of(self, host: str) -> tuple[Service, ...]:
        """Services of one host."""
        return self._services_by_host.get(host, ())

    @cached_property
    def _services_by_host(self) -> Mapping[str, tuple[Service, ...]]:
        by_host: dict[str, list[Service]] = {}
        for service in self.services:
            by_host.setdefault(service.host, []).append(service)
        return {name: tuple(found) for name, found in by_host.items()}
