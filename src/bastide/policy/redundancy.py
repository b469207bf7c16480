"""Which hosts may be away while the others change.

In: topology, the hosts that do not answer, the primary if it is known. Out: by host why it may not be left behind;
hosts that another one stands in for are not named. Holds: judged by roles alone, never by what is hoped of a host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bastide.topology.model import Topology


def derive_needed(topology: Topology, away: frozenset[str], primary: str | None) -> Mapping[str, str]:
    """Of the hosts that are away: those without which nothing may change, and why."""
    found = {name: next(_reasons(topology, name, away, primary), None) for name in topology.hosts if name in away}
    return {name: reason for name, reason in found.items() if reason is not None}


def _reasons(topology: Topology, name: str, away: frozenset[str], primary: str | None) -> Iterator[str]:
    for role in topology.hosts[name].roles:
        others = [host.name for host in topology.tier(role) if host.name not in away]
        if not others:
            yield f"no other {role} answers"
        elif role == "database" and primary is None:
            yield "no database that answers says that it is the primary, so it may be this one"
        elif role == "database" and primary == name:
            yield "it is the primary"
