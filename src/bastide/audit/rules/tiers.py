"""What several rules ask of tiers, flows and addresses.

In: a Subject. Out: plain answers. Holds: names are listed in spec order.
"""

from __future__ import annotations

from collections.abc import Iterable

from bastide.audit.rule import AddHosts, Edit, SetValue, Subject
from bastide.spec.parts import Role
from bastide.topology.model import Flow

PATH_ROLES: tuple[Role, ...] = ("balancer", "web", "app", "database")
"""Roles that requests pass through."""


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    every = list(dict.fromkeys(names))
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def crosses_hosts(subject: Subject, flow: Flow) -> bool:
    """Whether the flow is spoken between two machines of ours at all."""
    sources = {host.name for host in subject.topology.tier(flow.source)}
    targets = {host.name for host in subject.topology.tier(flow.target)}
    return bool(sources and targets) and len(sources | targets) > 1


def add_witness(subject: Subject) -> tuple[Edit, ...]:
    """What gives a host the role `witness`: a monitor that is no database, or a host of its own."""
    for name in subject.hosts("monitor"):
        roles = subject.spec.hosts[name].roles
        if "database" not in roles and "witness" not in roles:
            return (SetValue(path=("hosts", name, "roles"), yaml=f"[{', '.join((*roles, 'witness'))}]"),)
    return (AddHosts(role="witness", count=1),)
