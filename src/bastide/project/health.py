"""Is it healthy? What every host says of its services, put beside what the spec says should run.

In: a Target. Out: `Health`, as values and as the JSON of `bastide status`.
Holds: a service is healthy when its unit runs and its product's probes hold; a host that does not answer is not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bastide.apply.observe import PARALLEL, host_status
from bastide.lab.addressing import LOCAL_SUFFIXES
from bastide.project.members import Members, database_members
from bastide.project.stale import Missed, read_stale
from bastide.project.target import Target
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology
from bastide.transport.clock import wrong_clock
from bastide.transport.errors import TransportError

_LONGEST = 200
"""Characters of what a probe said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceHealth:
    """One service of one host."""

    name: str
    unit: str
    healthy: bool
    reason: str
    """Empty when healthy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostHealth:
    """One host."""

    name: str
    roles: tuple[str, ...]
    address: str
    healthy: bool
    reason: str
    generation: str
    holds_virtual_ip: bool
    database: str
    """What its database is: `primary`, `replica`, another state, or nothing."""
    services: tuple[ServiceHealth, ...]
    number: int = 0
    """Of the apply that brought what runs."""
    on_purpose: str = ""
    """Who went back to an older generation; empty when nobody did."""
    stale: bool = False
    """It was away while the others changed, and has yet to be brought along."""
    seen_s: float = 0.0
    """When it said so, by the monotonic clock; 0 where it does not answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """The whole."""

    name: str
    url: str
    ca: str
    virtual_ip: str
    hosts: tuple[HostHealth, ...]
    members: Members
    """What databases said of themselves."""

    @property
    def healthy(self) -> bool:
        """Whether every host and service is."""
        return all(host.healthy for host in self.hosts)

    def to_json(self) -> dict[str, Any]:
        """`bastide status --json`; keys, once published, stay."""
        return {
            "version": 1,
            "name": self.name,
            "url": self.url,
            "ca": self.ca,
            "healthy": self.healthy,
            "virtual_ip": self.virtual_ip or None,
            "hosts": [
                {
                    "name": host.name,
                    "roles": list(host.roles),
                    "healthy": host.healthy,
                    "reason": host.reason,
                    "address": host.address,
                    "stale": host.stale,
                    "generation": host.generation,
                    "number": host.number,
                    "rolled_back": host.on_purpose or None,
                    "holds_virtual_ip": host.holds_virtual_ip,
                    "database": host.database or None,
                    "services": [
                        {"name": s.name, "healthy": s.healthy, "unit": s.unit, "reason": s.reason}
                        for s in host.services
                    ],
                }
                for host in self.hosts
            ],
        }


def observe_health(target: Target, believed: Iterable[HostHealth] = ()) -> Health:
    """Ask every host, all at once, but for those of which it is `believed` that they are as they were; databases say anew
    what they are."""
    topology = resolve_topology(target.spec)
    known = {host.name: host for host in believed}
    asked = {name: way for name, way in target.endpoints.items() if name not in known}
    # A lab's hosts share this computer, and what is asked of all at the same time is answered late by each.
    answers = host_status(asked, (os.cpu_count() or 1) + 1 if target.kind == "lab" else PARALLEL)
    silent = frozenset(host for host, answer in answers.items() if isinstance(answer, TransportError))
    members = database_members(target, topology, silent=silent)
    missed = read_stale(target.state)
    domain = next((d for d in topology.domains if d.endswith(LOCAL_SUFFIXES)), topology.domains[0])
    if target.kind == "servers":
        domain = topology.domains[0]
    return Health(
        name=topology.name,
        url=f"https://{domain}/",
        ca=str(target.ca),
        virtual_ip=str(topology.virtual_ip or ""),
        hosts=tuple(
            known.get(name)
            or _with_stale(_host(topology, name, answers[name], members.get(name)), missed.get(name))
            for name in topology.hosts
        ),
        members={host.name: members.get(host.name) for host in topology.tier("database")},
    )


def _with_stale(host: HostHealth, missed: Missed | None) -> HostHealth:
    if missed is None or host.generation == missed.wanted:
        return host
    said = f"stale since {missed.since}: bring it along with bastide apply"
    return replace(host, stale=True, healthy=False, reason=f"{host.reason}; {said}" if host.reason else said)


def _host(
    topology: Topology, name: str, answer: dict[str, Any] | TransportError, member: Mapping[str, Any] | None
) -> HostHealth:
    host = topology.hosts[name]
    if isinstance(answer, TransportError):
        services = tuple(
            ServiceHealth(name=s.product, unit=s.unit, healthy=False, reason="unknown: the host does not answer")
            for s in topology.services_of(name)
        )
        return _assembled(topology, name, services, reason=answer.message)
    services = tuple(_service(s.product, s.unit, answer) for s in topology.services_of(name))
    reason = ""
    if not answer["generation"]:
        reason = "nothing was applied here yet"
    elif answer["failed_units"]:
        reason = f"failed: {', '.join(answer['failed_units'])}"
    else:
        reason = wrong_clock(answer["clock_ahead_s"])
    database = ""
    if "database" in host.roles and member is not None:
        database = str(member.get("role") or member.get("state") or "")
    return _assembled(
        topology,
        name,
        services,
        reason=reason,
        generation=answer["generation"],
        number=answer.get("number", 0),
        on_purpose=answer.get("on_purpose", ""),
        holds=str(topology.virtual_ip) in answer["addresses"],
        database=database,
        seen_s=answer["seen_s"],
    )


def _assembled(
    topology: Topology,
    name: str,
    services: tuple[ServiceHealth, ...],
    *,
    reason: str,
    generation: str = "",
    number: int = 0,
    on_purpose: str = "",
    seen_s: float = 0.0,
    holds: bool = False,
    database: str = "",
) -> HostHealth:
    host = topology.hosts[name]
    return HostHealth(
        name=name,
        roles=host.roles,
        address=str(host.private),
        healthy=not reason and all(s.healthy for s in services),
        reason=reason,
        generation=generation,
        holds_virtual_ip=holds,
        database=database,
        services=services,
        number=number,
        on_purpose=on_purpose,
        seen_s=seen_s,
    )


def _service(product: str, unit: str, answer: dict[str, Any]) -> ServiceHealth:
    state = answer["units"].get(unit)
    failing = [p for p in answer["probes"] if p["product"] == product and not p["holds"]]
    said = "; ".join(p["said"][:_LONGEST] for p in failing if p["said"])
    # `system` is settings, not a daemon: its unit is the machine's own.
    active = product == "system" or (state is not None and state["active"] in ("active", "reloading"))
    reason = ""
    if not active:
        reason = f"{unit} is {state['active'] if state else 'not there'}"
    elif failing:
        reason = f"does not hold: {', '.join(p['name'] for p in failing)}"
    reason = f"{reason} ({said})" if reason and said else reason
    return ServiceHealth(name=product, unit=unit, healthy=not reason, reason=reason)
