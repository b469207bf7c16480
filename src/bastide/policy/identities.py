"""Who proves what to whom: one identity for each role on each host, and which of them a listener accepts.

In: a Topology. Out: identities (for the authority to issue) and, for a flow, the names its listener accepts.
Holds: a listener accepts exactly the hosts that the flow names; a certificate of a host that left the spec opens
nothing, however long it is still valid.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastide.spec.values import IPAddress
from bastide.topology.model import Flow, Topology


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Identity:
    """A role on a host, as its certificate says it."""

    role: str
    host: str

    @property
    def common_name(self) -> str:
        """Subject CN, such as `web.web1`; HAProxy, nginx and MariaDB match the subject, not URIs."""
        return f"{self.role}.{self.host}"

    def dns_name(self, internal_domain: str) -> str:
        """DNS name, such as `web.web1.shop.internal`; clients verify servers by it."""
        return f"{self.common_name}.{internal_domain}"

    def tier_dns_name(self, internal_domain: str) -> str:
        """DNS name that the whole role shares, such as `app.shop.internal`.

        A client that spreads over several hosts of a role verifies them all by it (nginx has one `proxy_ssl_name`
        for all servers of an upstream), so every certificate carries it beside the host's own name.
        """
        return f"{self.role}.{internal_domain}"

    def uri(self, internal_domain: str) -> str:
        """SPIFFE-style URI, such as `spiffe://shop.internal/web/web1`."""
        return f"spiffe://{internal_domain}/{self.role}/{self.host}"


def issuer_common_name(project: str) -> str:
    """Subject CN of what signs every identity; it outlives renewals, so that a listener may require the issuer."""
    return f"{project} intermediate"


AGENT = "agent"
"""What every host is beside its roles: it ships metrics, logs and events. No role may have this name."""

VOTER = "voter"
"""What a host that votes on the primary database is beside its roles: member and client of etcd in one, since etcd's
own gateway must pass the check of client names with the server's certificate. No role may have this name."""


LOOPBACK_DOMAIN = "localhost"
"""Browsers lead every name below it to this computer, whatever a name server says (RFC 6761, 6.3)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dashboard:
    """What administrators write into their browser, which the certificate of a monitor's dashboard must say."""

    monitor: str
    names: tuple[str, ...]
    address: IPAddress

    @property
    def common_name(self) -> str:
        """Subject CN; no listener accepts it as a peer."""
        return f"dashboard.{self.monitor}"


def derive_dashboards(topology: Topology) -> tuple[Dashboard, ...]:
    """One for each monitor: opened by address, or through a tunnel by a name of this computer."""
    return tuple(
        Dashboard(
            monitor=host.name,
            names=(
                Identity(role="monitor", host=host.name).dns_name(topology.internal_domain),
                tunnel_name(topology.name, host.name),
            ),
            address=host.private,
        )
        for host in topology.tier("monitor")
    )


def tunnel_domain(project: str) -> str:
    """`shop.localhost`: the authority vouches for names below it, and not for `localhost` itself."""
    return f"{project}.{LOOPBACK_DOMAIN}"


def tunnel_name(project: str, monitor: str) -> str:
    """`monitor1.shop.localhost`: the near end of a tunnel to that monitor."""
    return f"{monitor}.{tunnel_domain(project)}"


def derive_identities(topology: Topology) -> tuple[Identity, ...]:
    """One identity for each role of each host, in spec order, and each host's own where there are monitors."""
    own = (AGENT,) if topology.tier("monitor") else ()
    return tuple(
        Identity(role=role, host=host.name)
        for host in topology.hosts.values()
        for role in (*host.roles, *((VOTER,) if host.votes else ()), *own)
    )


def derive_accepted_peers(topology: Topology, flow: Flow) -> tuple[Identity, ...]:
    """Identities that the flow's listener accepts: the source tiers of all flows that end there, host by host."""
    return tuple(
        dict.fromkeys(
            Identity(role=AGENT if every.source == "any" else every.source, host=host.name)
            for every in _flows_into_listener(topology, flow)
            for host in topology.tier(every.source)
        )
    )


def derive_accepted_addresses(topology: Topology, flow: Flow) -> tuple[IPAddress, ...]:
    """Every address that the flow's listener is spoken to from, by any flow that ends there."""
    return tuple(
        dict.fromkeys(
            address
            for every in _flows_into_listener(topology, flow)
            for address in derive_source_addresses(topology, every)
        )
    )


def derive_source_addresses(topology: Topology, flow: Flow) -> tuple[IPAddress, ...]:
    """Every address that a peer of the flow's own source tier may come from."""
    return tuple(a for host in topology.tier(flow.source) for a in host.addresses)


def _flows_into_listener(topology: Topology, flow: Flow) -> tuple[Flow, ...]:
    """The flow itself first, then the others that end at the same listener."""
    listener = (flow.target, flow.port, flow.protocol)
    return (flow, *(f for f in topology.flows if (f.target, f.port, f.protocol) == listener and f != flow))
