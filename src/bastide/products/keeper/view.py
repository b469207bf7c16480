"""What the keeper of one host is told.

In: HostContext. Out: the plain values of keeper.json and secrets.json, and `KeeperView` for the units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastide.policy.identities import Identity, issuer_common_name
from bastide.products.context import HostContext
from bastide.products.etcd.view import derive_members
from bastide.products.mariadb import paths
from bastide.spec.failover import is_automatic

TLS = "/etc/bastide/keeper/tls"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeeperView:
    """Values of the units."""

    host: str
    replication: bool
    state: str
    status_socket: str
    start_request: str
    seed_socket: str
    program: str
    settings: str
    automatic: bool
    fence_socket: str


def view_keeper(context: HostContext, *, program: str, settings: str) -> KeeperView:
    """Units of one host."""
    return KeeperView(
        host=context.host.name,
        replication=is_replicated(context),
        state=paths.STATE,
        status_socket=paths.KEEPER_SOCKET,
        start_request=paths.START_REQUEST,
        seed_socket=paths.SEED_SOCKET,
        program=program,
        settings=settings,
        automatic=is_automatic(context.spec),
        fence_socket=paths.FENCE_SOCKET,
    )


def is_replicated(context: HostContext) -> bool:
    """Whether the spec asks for replicas."""
    return context.spec.database is not None and context.spec.database.mode == "replication"


def derive_settings(context: HostContext, *, secrets: str) -> dict[str, Any]:
    """keeper.json."""
    database = context.spec.database
    if database is None:
        raise ValueError("no database section: topology and spec disagree")
    topology = context.topology
    replicated = is_replicated(context)
    tls = replicated and context.spec.tls.inside == "mtls"
    peers = [h for h in topology.tier("database") if h.name != context.host.name] if replicated else []
    return {
        "format": 1,
        "host": context.host.name,
        "mode": database.mode,
        "tls": {
            "ca": f"{paths.SERVER_TLS}/root.pem",
            "certificate": f"{paths.SERVER_TLS}/certificate.pem",
            "key": f"{paths.SERVER_TLS}/key.pem",
            "issuer": f"/CN={issuer_common_name(topology.name)}",
        }
        if tls
        else None,
        "peers": [
            {
                "host": peer.name,
                "address": str(peer.private),
                "name": Identity(role="database", host=peer.name).dns_name(topology.internal_domain),
                "status_socket": paths.peer_status_socket(peer.name),
                "seed_socket": paths.peer_seed_socket(peer.name),
            }
            for peer in peers
        ],
        "replication_port": topology.flow("database-replication").port if replicated else 0,
        "database": database.name,
        "user": database.user,
        "exporter": paths.EXPORTER_USER if context.runs("mysqld_exporter") else None,
        "max_replica_lag_s": database.max_replica_lag,
        "state": paths.STATE,
        "stock_data": paths.STOCK_DATA,
        "server_socket": paths.SERVER_SOCKET,
        "status_socket": paths.KEEPER_SOCKET,
        "start_request": paths.START_REQUEST,
        "grant": paths.GRANT,
        "secrets": secrets,
    } | ({"failover": _failover(context)} if is_automatic(context.spec) else {})


def _failover(context: HostContext) -> dict[str, Any]:
    database = context.spec.database
    assert database is not None
    port = context.topology.flow("voter-client").port
    members = sorted(derive_members(context.topology), key=lambda m: m.host != context.host.name)
    return {
        "register": {
            "members": [{"address": m.address, "name": m.name, "port": port} for m in members],
            "ca": f"{TLS}/root.pem",
            "certificate": f"{TLS}/voter.pem",
            "key": f"{TLS}/voter.key",
        },
        "strict": database.without_standby == "block",
        "hold_s": database.failover_hold,
        "server_config": paths.SERVER_CONFIG,
        "permit": paths.PERMIT,
        "session": paths.SESSION,
        "fence_socket": paths.FENCE_SOCKET,
        "control_socket": paths.CONTROL_SOCKET,
        "proxies": _proxies(context),
    } | ({"failsafe": True} if database.without_quorum == "go_on" else {})


def _proxies(context: HostContext) -> list[str]:
    """Sockets that lead to the proxies of application hosts."""
    if not context.topology.has_flow("database-announce"):
        return []
    return [
        paths.ANNOUNCE_SOCKET if host.name == context.host.name else paths.announce_socket(host.name)
        for host in context.topology.tier("app")
    ]


def derive_secrets(context: HostContext) -> dict[str, str]:
    """secrets.json."""
    secrets = {"app": context.materials.secrets["database.password"]}
    if is_replicated(context):
        secrets["replication"] = context.materials.secrets["database.replication"]
    return secrets
