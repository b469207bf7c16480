"""The walls of one host: every decision of its ruleset, from the flows alone.

In: HostContext. Out: RulesetView: rules in, rules out, each with its flow's name and reason.
Holds: a packet that no flow names is dropped in every direction; IPv4 and IPv6 alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses, ip_network
from typing import Literal

from bastide.products.context import HostContext, tier_wide
from bastide.spec.values import IPAddress, IPNetwork
from bastide.topology.model import Flow, Host, Topology, Zone

Family = Literal["ip", "ip6"]
Peers = Mapping[Family, tuple[str, ...]]
"""Networks as nft writes them, by address family. Empty: anyone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One accepted conversation, in one address family."""

    flow: str
    why: str
    family: Family
    sources: tuple[str, ...]
    """Empty: from anywhere."""
    destinations: tuple[str, ...]
    """Empty: to any address."""
    protocol: str
    port: int | None
    limited: bool
    """Counted against the limits for each source at the edge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesetView:
    """What the template needs, decided."""

    host: str
    incoming: tuple[Rule, ...]
    outgoing: tuple[Rule, ...]
    admin: tuple[Rule, ...]
    """The rules of `incoming` that keep administrators able to log in."""
    edge: bool
    connections_per_source: int
    handshakes_per_second: int
    handshakes_burst: int
    log_per_minute: int


def view_ruleset(context: HostContext) -> RulesetView:
    """The ruleset of a host."""
    incoming = tuple(_incoming(context))
    limit = context.spec.balancer.rate_limit
    return RulesetView(
        host=context.host.name,
        incoming=incoming,
        outgoing=tuple(_outgoing(context)),
        admin=tuple(rule for rule in incoming if rule.flow.startswith("admin-ssh")),
        edge=any(rule.limited for rule in incoming),
        # HAProxy enforces the limits themselves and can explain them to a client; the wall stands behind it with
        # twice as much, so that a flood costs the host no handshakes.
        connections_per_source=2 * limit.connections,
        handshakes_per_second=max(1, round(2 * limit.handshakes / limit.window)),
        handshakes_burst=2 * limit.handshakes,
        log_per_minute=context.spec.firewall.log_per_minute,
    )


def _incoming(context: HostContext) -> Iterator[Rule]:
    host, virtual_ip = context.host, context.topology.virtual_ip
    for flow in context.topology.flows:
        if not host.stands_in(flow.target):
            continue
        outside = flow.source in ("internet", "admin")
        own = () if flow.source == "admin" else _listening_addresses(flow, host, virtual_ip)
        yield from _rules(
            flow,
            _outside(flow) if outside else _sources(context, flow.source),
            _peers(map(ip_network, own)),
            limited=flow.source == "internet",
        )


def _outgoing(context: HostContext) -> Iterator[Rule]:
    for flow in context.topology.flows:
        if not context.host.stands_in(flow.source):
            continue
        targets = _outside(flow) if flow.target == "internet" else _targets(context, flow)
        if flow.target == "internet" or targets:
            yield from _rules(flow, {}, targets, limited=False)


# A host speaks to itself over loopback, which is always open; so it is left out where it stands in the tier itself.
def _sources(context: HostContext, zone: Zone) -> Peers:
    if context.host.stands_in(zone):
        return _source_networks(context.topology, zone, without=context.host.name)
    return _every_source_network(context, zone)


def _targets(context: HostContext, flow: Flow) -> Peers:
    if context.host.stands_in(flow.target):
        return _target_networks(context.topology, flow, without=context.host.name)
    return _every_target_network(context, flow)


def _source_networks(topology: Topology, zone: Zone, without: str | None = None) -> Peers:
    return _peers(ip_network(a) for h in topology.tier(zone) if h.name != without for a in h.addresses)


def _target_networks(topology: Topology, flow: Flow, without: str | None = None) -> Peers:
    others = (h for h in topology.tier(flow.target) if h.name != without)
    return _peers(ip_network(a) for h in others for a in _listening_addresses(flow, h, topology.virtual_ip))


_every_source_network = tier_wide(_source_networks)
_every_target_network = tier_wide(_target_networks)


def _outside(flow: Flow) -> Peers:
    return _peers([] if flow.external is None else [flow.external])


def _listening_addresses(flow: Flow, host: Host, virtual_ip: IPAddress | None) -> tuple[IPAddress, ...]:
    if flow.network == "private":
        return (host.private,)
    public = host.public or host.private
    # What balancers serve, they serve at the virtual address as well; their talk about it is between themselves.
    if flow.product == "haproxy" and virtual_ip is not None:
        return (public, virtual_ip)
    return (public,)


def _rules(flow: Flow, sources: Peers, targets: Peers, *, limited: bool) -> Iterator[Rule]:
    if flow.source not in ("internet", "admin") and flow.target != "internet" and not sources and not targets:
        return
    families: tuple[Family, ...] = ("ip", "ip6")
    for family in families:
        if (sources and family not in sources) or (targets and family not in targets):
            continue
        yield Rule(
            flow=flow.name,
            why=flow.why,
            family=family,
            sources=sources.get(family, ()),
            destinations=targets.get(family, ()),
            protocol=flow.protocol,
            port=flow.port,
            limited=limited,
        )


def _peers(networks: Iterable[IPNetwork]) -> Peers:
    """As few networks as say the same, by family; families without any are absent."""
    every = tuple(networks)
    four = tuple(_text(n) for n in collapse_addresses(n for n in every if isinstance(n, IPv4Network)))
    six = tuple(_text(n) for n in collapse_addresses(n for n in every if not isinstance(n, IPv4Network)))
    by_family: dict[Family, tuple[str, ...]] = {"ip": four, "ip6": six}
    return {family: texts for family, texts in by_family.items() if texts}


def _text(network: IPNetwork) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)
