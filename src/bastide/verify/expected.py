"""Which conversations the flows allow, worked out for one pair of addresses.

In: topology. Out: sets of (protocol, port). Pure.
Holds: derived from the flows alone, not from the firewall's own view of them: the two must agree.
"""

from __future__ import annotations

from ipaddress import ip_address

from bastide.spec.values import IPAddress
from bastide.topology.model import Flow, Host, Topology

Doors = frozenset[tuple[str, int]]


def doors_in(topology: Topology, target: Host, address: str, source: str, source_address: str) -> Doors:
    """What a host admits at one of its addresses, from an address of another host (or of the client: any name)."""
    at, of = _address(address), _address(source_address)
    return frozenset(
        (flow.protocol, flow.port)
        for flow in topology.flows
        if flow.port is not None
        and target.stands_in(flow.target)
        and (flow.source == "admin" or at in listening_addresses(topology, flow, target))
        and _comes_from(topology, flow, source, of)
    )


def doors_out(topology: Topology, source: Host, address: str) -> Doors:
    """What a host may open towards an address."""
    to = _address(address)
    return frozenset(
        (flow.protocol, flow.port)
        for flow in topology.flows
        if flow.port is not None and source.stands_in(flow.source) and _goes_to(topology, flow, source, to)
    )


def listening_addresses(topology: Topology, flow: Flow, host: Host) -> tuple[IPAddress, ...]:
    """Where a host of the flow's target serves it."""
    if flow.network == "private":
        return (host.private,)
    shared = (topology.virtual_ip,) if flow.product == "haproxy" and topology.virtual_ip is not None else ()
    return (host.public or host.private, *shared)


def _comes_from(topology: Topology, flow: Flow, source: str, address: IPAddress) -> bool:
    if flow.source == "internet":
        return True
    if flow.source == "admin":
        return flow.external is None or address in flow.external
    return any(host.name == source and address in host.addresses for host in topology.tier(flow.source))


def _goes_to(topology: Topology, flow: Flow, source: Host, address: IPAddress) -> bool:
    if flow.target == "internet":
        return flow.external is None or address in flow.external
    others = (host for host in topology.tier(flow.target) if host.name != source.name)
    return any(address in listening_addresses(topology, flow, host) for host in others)


def _address(text: str) -> IPAddress:
    return ip_address(text.partition("%")[0])
