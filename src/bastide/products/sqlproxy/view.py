"""What the database's proxy does on one host: which listeners, for whom, to where.

In: HostContext. Out: `SqlproxyView`.
Holds: on application hosts only loopback listens; on database hosts a listener lets in the hosts of its flows, by
certificate name, or by address where the spec wants plain text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from bastide.policy.identities import Identity, derive_accepted_addresses, derive_accepted_peers
from bastide.products.context import HostContext
from bastide.products.mariadb import paths
from bastide.spec.failover import is_automatic
from bastide.spec.values import IPAddress
from bastide.topology.flows import LOCAL_PRIMARY, LOCAL_REPLICA
from bastide.topology.model import Flow

FOLDER = "/etc/bastide/sqlproxy"
_TOLD, _ASKING, _AGAIN = "1s", "500ms", "300ms"
"""Between two checks of a server: where keepers say who takes writes, and where asking is the only way to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrance:
    """A listener for other hosts, and the unix socket behind it."""

    name: str
    bind: str
    accept: str
    """File with the names or addresses that are let in."""
    peers: tuple[str, ...]
    target: str
    target_max_connections: int
    """Further ones wait in the proxy."""
    style: Literal["sql", "http", "stream"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A server of another host, reached with this host's certificate."""

    name: str
    address: str
    check_port: int
    dns_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """A unix socket of this host that leads to one server of a peer."""

    name: str
    socket: str
    way: Way


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcements:
    """Where keepers say which database takes writes; new connections wait until one does."""

    bind: str | None
    """None: all databases are on this host."""
    accept: str
    peers: tuple[str, ...]
    local: str | None
    """Unix socket for the keeper of this host."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What each database is asked, over a new TLS connection each time: what an idle application host does most."""

    name: str
    """Of the backend, and of the path at the keeper."""
    every: str
    again: str
    """Of a server that said no: what a busy host took for the end of the primary must not last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlproxyView:
    """Values of haproxy.cfg and of the unit."""

    host: str
    mtls: bool
    folder: str
    local_primary: str | None
    """Loopback listener for writes; None: no application here."""
    local_replica: str | None
    databases: tuple[Way, ...]
    entrances: tuple[Entrance, ...]
    exits: tuple[Exit, ...]
    questions: tuple[Question, ...]
    max_connections: int
    announcements: Announcements | None
    automatic: bool
    """A keeper may take over, and hand over, by itself."""
    promises: bool
    """A primary without the register may ask its standby for a promise."""


def view_sqlproxy(context: HostContext) -> SqlproxyView:
    """The proxy of one host."""
    topology, database = context.topology, context.spec.database
    if database is None:
        raise ValueError("no database section: topology and spec disagree")
    roles = context.host.roles
    serves_app = "app" in roles and topology.has_flow("app-database")
    announced = serves_app and topology.has_flow("database-announce")
    every = _TOLD if announced else _ASKING
    return SqlproxyView(
        host=context.host.name,
        mtls=context.spec.tls.inside == "mtls",
        folder=FOLDER,
        local_primary=f"127.0.0.1:{LOCAL_PRIMARY}" if serves_app else None,
        local_replica=f"127.0.0.1:{LOCAL_REPLICA}" if serves_app else None,
        databases=_ways(context, "app-database", "app-database-status") if serves_app else (),
        entrances=tuple(_entrances(context, database.max_connections)) if "database" in roles else (),
        exits=tuple(_exits(context)) if "database" in roles else (),
        questions=(
            Question(name="primary", every=every, again=_AGAIN),
            Question(name="replica", every=every, again=every),
        ),
        max_connections=database.max_connections,
        automatic=is_automatic(context.spec),
        promises=is_automatic(context.spec) and database.without_quorum == "go_on",
        announcements=_announcements(context) if announced else None,
    )


def _announcements(context: HostContext) -> Announcements:
    flow, here = context.topology.flow("database-announce"), context.host
    elsewhere = any(host.name != here.name for host in context.topology.tier("database"))
    return Announcements(
        bind=_endpoint(here.private, flow.port) if elsewhere else None,
        accept=f"{FOLDER}/peers/announce.lst",
        peers=_accepted(context, flow),
        local=paths.ANNOUNCE_SOCKET if "database" in here.roles else None,
    )


def _accepted(context: HostContext, flow: Flow) -> tuple[str, ...]:
    if context.spec.tls.inside == "mtls":
        return tuple(p.common_name for p in derive_accepted_peers(context.topology, flow))
    return tuple(str(a) for a in derive_accepted_addresses(context.topology, flow))


def _entrances(context: HostContext, max_connections: int) -> Iterable[Entrance]:
    wanted: tuple[tuple[str, tuple[str, ...], str, int, Literal["sql", "http", "stream"]], ...] = (
        ("sql", ("app-database",), paths.SERVER_SOCKET, max_connections, "sql"),
        ("status", ("app-database-status", "database-status"), paths.KEEPER_SOCKET, 64, "http"),
        ("seed", ("database-seed",), paths.SEED_SOCKET, 2, "stream"),
    )
    for name, flow_names, target, target_max_connections, style in wanted:
        flows = [context.topology.flow(n) for n in flow_names if context.topology.has_flow(n)]
        if not flows:
            continue
        yield Entrance(
            name=name,
            bind=_endpoint(context.host.private, flows[0].port),
            accept=f"{FOLDER}/peers/{name}.lst",
            peers=_accepted(context, flows[0]),
            target=target,
            target_max_connections=target_max_connections,
            style=style,
        )


def _exits(context: HostContext) -> Iterable[Exit]:
    for flow, socket in (
        ("database-status", paths.peer_status_socket),
        ("database-seed", paths.peer_seed_socket),
    ):
        if not context.topology.has_flow(flow):
            continue
        for way in _ways(context, flow, flow):
            if way.name != context.host.name:
                yield Exit(name=f"{flow.removeprefix('database-')}-{way.name}", socket=socket(way.name), way=way)
    if context.topology.has_flow("database-announce"):
        for way in _ways(context, "database-announce", "database-announce", tier="app"):
            if way.name != context.host.name:
                yield Exit(name=f"announce-{way.name}", socket=paths.announce_socket(way.name), way=way)


def _ways(
    context: HostContext, flow: str, check_flow: str, tier: Literal["app", "database"] = "database"
) -> tuple[Way, ...]:
    topology = context.topology
    return tuple(
        Way(
            name=host.name,
            address=_endpoint(host.private, topology.flow(flow).port),
            check_port=topology.flow(check_flow).port or 0,
            dns_name=Identity(role=tier, host=host.name).dns_name(topology.internal_domain),
        )
        for host in topology.tier(tier)
    )


def _endpoint(address: IPAddress, port: int | None) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def derive_certificate_roles(view: SqlproxyView) -> Iterable[str]:
    """Roles in which this host proves who it is."""
    if not view.mtls:
        return ()
    return tuple(chain(("app",) if view.local_primary else (), ("database",) if view.entrances else ()))
