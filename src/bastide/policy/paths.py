"""What a read and a write need: the request path of an infrastructure, as a graph of tiers, members and services.

In: a Topology, and who is primary if that is known. Out: `RequestPath`: the needs of reads and of writes, tier by
tier, in the direction of a request. Part names are hosts (`web1`) and services (`web1/nginx`).

What the built system does, and so what holds here:
- Every tier spreads over all of its hosts and leaves out a member that cannot serve; any web server asks any
  application host. With a virtual address any balancer will do; without one, clients know the first one only.
- A member is its host and each service that its answer passes through. A database without its keeper is not found.
- Without takeover the primary is needed for reads too: replicas answer for `max_replica_lag` after it is lost, then
  nobody can say how old their data are. With takeover (etcd voters) another member goes on, while a majority of
  voters is there; without a majority the primary is stopped, for it cannot know that it still is one; or, where the
  spec says so (`without_quorum: go_on`), goes on while its standby is there. Where the spec says so
  (`without_standby: block`), writes need both.
- A site without a database has no writes of its own: they are its requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bastide.policy.structure import All, AnyOf, AtLeast, Need, Part
from bastide.spec.parts import Role
from bastide.topology.model import Host, Topology

_SERVICES: dict[Role, tuple[str, ...]] = {
    "balancer": ("haproxy", "keepalived"),
    "web": ("nginx",),
    "app": ("nginx", "app", "sqlproxy"),
    "database": ("mariadb", "keeper", "sqlproxy"),
}
"""Services that a request passes through on a member of each tier; those that a host does not run are left out."""
VOTER = "etcd"
"""The product whose members vote on who is primary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One thing that the path needs, and how to say that it is gone."""

    name: str
    role: str
    """The tier, or `voters`."""
    members: tuple[str, ...]
    """Hosts that it rests on."""
    need: AnyOf | AtLeast | All
    """Of its members, in their order."""
    lost: str
    """What is true when it does not work, as the end of a sentence."""
    stops: tuple[str, ...]
    """Of `reads` and `writes`, what needs it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestPath:
    """Everything that reads and writes need."""

    stages: tuple[Stage, ...]
    primary: str | None
    """Who is taken to be the primary."""

    def need(self, kind: str) -> All:
        """What `reads` or `writes` need."""
        return All(tuple(stage.need for stage in self.stages if kind in stage.stops))


BOTH = ("reads", "writes")


def service_name(host: str, product: str) -> str:
    """How a service is called among parts: `web1/nginx`."""
    return f"{host}/{product}"


def derive_request_path(topology: Topology, *, primary: str | None = None) -> RequestPath:
    """The path. `primary`: the present one, where it was observed; by default the first database host, on which a
    new cluster begins. Raises KeyError for a primary that is no host."""
    databases = topology.tier("database") if _has_database(topology) else ()
    chosen = topology.hosts[primary] if primary is not None else next(iter(databases), None)
    stages = [*_front(topology), *(_database(topology, databases, chosen) if chosen is not None else ())]
    return RequestPath(stages=tuple(stages), primary=chosen.name if chosen else None)


def _has_database(topology: Topology) -> bool:
    return any(service.product == "mariadb" for service in topology.services)


def _front(topology: Topology) -> Iterator[Stage]:
    balancers = topology.tier("balancer")
    entrances = balancers if topology.virtual_ip is not None else balancers[:1]
    if entrances:
        yield _tier(topology, "balancer", entrances, "no balancer answers at the site's address")
    if topology.has_flow("balancer-web"):
        yield _tier(topology, "web", topology.tier("web"), "no web server is left")
    if topology.has_flow("web-app"):
        yield _tier(topology, "app", topology.tier("app"), "no application host is left")


def _tier(topology: Topology, role: Role, hosts: tuple[Host, ...], lost: str) -> Stage:
    return Stage(
        name=role,
        role=role,
        members=tuple(h.name for h in hosts),
        need=AnyOf(tuple(_member(topology, role, host) for host in hosts)),
        lost=lost,
        stops=BOTH,
    )


def _database(topology: Topology, databases: tuple[Host, ...], primary: Host) -> Iterator[Stage]:
    voters = tuple(h for h in topology.hosts.values() if VOTER in _products(topology, h))
    if not voters:
        reason = "and nothing takes over" if len(databases) > 1 else "and there is no other"
        yield Stage(
            name="primary",
            role="database",
            members=(primary.name,),
            need=AnyOf((_member(topology, "database", primary),)),
            lost=f"the database's primary {primary.name} is lost, {reason}",
            stops=BOTH,
        )
        return
    # One replica holds every acknowledged write and may be promoted; which one is a fact of the run. By default the
    # next host after the primary.
    others = [h for h in databases if h.name != primary.name]
    candidates = (primary, *others[:1])
    yield Stage(
        name="primary",
        role="database",
        members=tuple(h.name for h in candidates),
        need=AnyOf(tuple(_member(topology, "database", host) for host in candidates)),
        lost="the database's primary and the replica that may take over are lost",
        stops=BOTH,
    )
    if topology.writes_need_standby:
        yield Stage(
            name="standby",
            role="database",
            members=tuple(h.name for h in candidates),
            need=All(tuple(_member(topology, "database", host) for host in candidates)),
            lost="writes wait for a second database to acknowledge them, and there is none",
            stops=("writes",),
        )
    majority = len(voters) // 2 + 1
    votes = AtLeast(majority, tuple(All((Part(h.name), Part(service_name(h.name, VOTER)))) for h in voters))
    both = All(tuple(_member(topology, "database", host) for host in candidates))
    yield Stage(
        name="majority",
        role="voters",
        members=tuple(h.name for h in voters),
        need=AnyOf((votes, both)) if topology.promises_replace_votes else votes,
        lost=f"fewer than {majority} of {len(voters)} voters are left, so the database has no primary",
        stops=BOTH,
    )


def _member(topology: Topology, role: Role, host: Host) -> Need:
    products = _products(topology, host)
    services = [Part(service_name(host.name, p)) for p in _SERVICES[role] if p in products]
    return All((Part(host.name), *services))


def _products(topology: Topology, host: Host) -> frozenset[str]:
    return frozenset(s.product for s in topology.services_of(host.name))
