"""What MariaDB's configuration says on one host.

In: HostContext. Out: `MariadbView`. Raises ServerIdCollision.
Holds: every boot is read-only with its replica threads stopped: the keeper gives the role, never the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from bastide.products.context import HostContext
from bastide.products.mariadb import paths
from bastide.spec.failover import is_automatic

RESERVED_CONNECTIONS = 20
"""Beside the application's: keeper, replicas, copies, exporter, an administrator."""


class ServerIdCollision(Exception):
    """Two database hosts whose names hash to one server id: rename one of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MariadbView:
    """Values of mariadb.cnf and of the unit."""

    host: str
    server_id: int
    data: str
    socket: str
    hosts_file: str | None
    """Bound over the server's /etc/hosts, so that it can verify the primary's certificate by name."""
    record: str
    state: str
    address: str | None
    """Where replicas connect; None: no network at all."""
    port: int | None
    tls: str | None
    """Directory of certificate, key and root."""
    require_tls: bool
    replication: bool
    durable: bool
    buffer_pool: int
    max_connections: int
    snippet: str
    permit: str | None
    """With automatic failover: what the keeper writes before each start, and as what the server starts."""
    program: str
    control_socket: str


def view_mariadb(context: HostContext) -> MariadbView:
    """The server of one host."""
    database = context.spec.database
    if database is None:
        raise ValueError("no database section: topology and spec disagree")
    replication = database.mode == "replication"
    networked = context.topology.has_flow("database-replication")
    mtls = context.spec.tls.inside == "mtls"
    ids = derive_server_ids(h.name for h in context.topology.tier("database"))
    return MariadbView(
        host=context.host.name,
        server_id=ids[context.host.name],
        data=paths.DATA,
        socket=paths.SERVER_SOCKET,
        hosts_file=paths.HOSTS if networked and mtls else None,
        record=paths.RECORD,
        state=paths.STATE,
        address=str(context.host.private) if networked else None,
        port=context.topology.flow("database-replication").port if networked else None,
        tls=paths.SERVER_TLS if networked and mtls else None,
        require_tls=mtls,
        replication=replication,
        durable=database.durable,
        buffer_pool=database.buffer_pool,
        max_connections=database.max_connections + RESERVED_CONNECTIONS,
        snippet=database.snippet.rstrip(),
        permit=paths.PERMIT if is_automatic(context.spec) else None,
        program=paths.KEEPER_PROGRAM,
        control_socket=paths.CONTROL_SOCKET,
    )


def derive_server_ids(hosts: Iterable[str]) -> dict[str, int]:
    """A server id for each host: of its name alone, so that no other host's coming or going changes it."""
    ids: dict[str, int] = {}
    for host in hosts:
        found = zlib.crc32(host.encode()) or 1
        if found in ids.values():
            raise ServerIdCollision(f"{host} has the same database server id as another host: rename it")
        ids[host] = found
    return ids
