"""Whom a host or a tier talks to.

In: subject and roles. Out: one line for each flow, coming in or going out.
"""

from __future__ import annotations

from collections.abc import Sequence

from bastide.explain.model import Subject
from bastide.explain.protection import short_protection
from bastide.explain.words import place, port_of
from bastide.topology.model import Flow, Zone


def _zones(subject: Subject, roles: Sequence[str], host: str) -> set[str]:
    """Roles, and the voters where the host, or a host of the tier, is one."""
    voters = subject.topology.tier("voter")
    asked = (
        {host} if host else {h.name for role in roles for h in subject.topology.hosts.values() if role in h.roles}
    )
    votes = any(voter.name in asked and (host or {"database", "witness"} & set(roles)) for voter in voters)
    return {*roles, *(("voter",) if votes else ())}


def flows_into(subject: Subject, roles: Sequence[str], *, host: str = "") -> tuple[Flow, ...]:
    """Flows that end at hosts of these roles, leaving out those that only the host itself could begin."""
    topology = subject.topology
    return tuple(
        flow
        for flow in topology.flows
        if (flow.target in _zones(subject, roles, host) or flow.target == "any")
        and (flow.source in ("internet", "admin") or any(peer.name != host for peer in topology.tier(flow.source)))
    )


def flows_out_of(subject: Subject, roles: Sequence[str], *, host: str = "") -> tuple[Flow, ...]:
    """Flows that begin at hosts of these roles."""
    topology = subject.topology
    return tuple(
        flow
        for flow in topology.flows
        if (flow.source in _zones(subject, roles, host) or flow.source == "any")
        and (flow.target == "internet" or any(peer.name != host for peer in topology.tier(flow.target)))
    )


def stays(subject: Subject, flow: Flow) -> bool:
    """Whether the flow never leaves its host: the only one of either tier."""
    source, target = subject.topology.tier(flow.source), subject.topology.tier(flow.target)
    return len(source) == 1 and source == target


def _peer(subject: Subject, flow: Flow, zone: Zone, host: str) -> str:
    if flow.source == flow.target and not host:
        return "each other"
    return place(subject.topology, zone, flow, without=host)


def incoming(subject: Subject, roles: Sequence[str], *, host: str = "") -> tuple[str, ...]:
    """What may come in: the gates of the wall. What every host has (SSH) is told of hosts alone."""
    return tuple(
        f"**in** on `{port_of(flow)}` from {_peer(subject, flow, flow.source, host)}, "
        f"{short_protection(flow)}: {flow.why}"
        for flow in flows_into(subject, roles, host=host)
        if (host or flow.target != "any") and not stays(subject, flow)
    )


def outgoing(subject: Subject, roles: Sequence[str], *, host: str = "") -> tuple[str, ...]:
    """What may go out to hosts of ours, and what leaves beyond what every host may send."""
    return tuple(
        f"**out** to `{port_of(flow)}` of {_peer(subject, flow, flow.target, host)}, "
        f"{short_protection(flow)}: {flow.why}"
        for flow in flows_out_of(subject, roles, host=host)
        if (flow.source != "any" or (host and flow.target != "internet"))
        # What a tier's hosts say to each other was told as what comes in.
        and (host or flow.source != flow.target)
        and not stays(subject, flow)
    )
