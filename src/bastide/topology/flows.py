"""Every conversation that an infrastructure needs, with its port, encryption and reason.

In: the spec (which roles exist, what is encrypted). Out: the one list of flows.
Holds: this is the only place where ports of ours are chosen; no two listeners of one host share a port, whatever
mix of roles it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from bastide.spec.failover import is_automatic
from bastide.spec.model import Spec
from bastide.spec.parts import Role
from bastide.topology.model import Encryption, Flow

HTTP, HTTPS, SMTP = 80, 443, 25
WEB = {"mtls": 8443, "plain": 8080}
APP = {"mtls": 9443, "plain": 9080}
REPLICATION = 3306
SQL = 3307
DATABASE_STATUS = 3308
SEED = 3309
ANNOUNCE = 3310
ETCD_CLIENT, ETCD_PEER = 2379, 2380

INGEST = 8490
DASHBOARD = 8444
ALERT_GOSSIP = 9094

LOCAL_PRIMARY, LOCAL_REPLICA = 13306, 13307
"""Loopback listeners of sqlproxy on application hosts: the current primary, and a replica for reads."""
LOCAL_NODE_EXPORTER, LOCAL_MYSQLD_EXPORTER, LOCAL_HAPROXY_METRICS, LOCAL_BLACKBOX = 9100, 9104, 9101, 9115
LOCAL_PROMETHEUS, LOCAL_ALERTMANAGER, LOCAL_VMAGENT = 9090, 9093, 8429
LOCAL_ETCD = 2381
"""Loopback listener of etcd's health and figures."""
LOCAL_AGENT, LOCAL_STATSD, LOCAL_OTLP, LOCAL_HUB = 9191, 8125, 4318, 9192
"""Loopback listeners of monitoring: exporters and stores; the agent's own metrics and push API, StatsD, OTLP/HTTP;
the hub's own metrics with what was pushed to it."""


def derive_flows(spec: Spec) -> tuple[Flow, ...]:
    """All flows, outside first, in the direction of a request."""
    roles = {role for host in spec.hosts.values() for role in host.roles}
    return (
        *_edge(),
        *(_balancer_pair(spec) if "balancer" in roles else ()),
        *_request_path(spec, roles),
        *(_database(spec) if "database" in roles and spec.database else ()),
        *(_monitoring(roles, spec) if "monitor" in roles else ()),
        *(_alerting(spec) if "monitor" in roles else ()),
        *_operations(spec),
    )


def _inner(spec: Spec) -> Encryption:
    return spec.tls.inside


def _edge() -> Iterator[Flow]:
    yield Flow(
        name="internet-http", source="internet", target="balancer", product="haproxy", port=HTTP, protocol="tcp",
        encryption="plain", network="public", why="browsers that come by http:// are sent to https://",
    )  # fmt: skip
    yield Flow(
        name="internet-https", source="internet", target="balancer", product="haproxy", port=HTTPS, protocol="tcp",
        encryption="tls", network="public", why="clients reach the site",
    )  # fmt: skip


def _balancer_pair(spec: Spec) -> Iterator[Flow]:
    if isinstance(spec.balancer.virtual_ip, str):
        return
    yield Flow(
        name="balancer-vrrp", source="balancer", target="balancer", product="keepalived", port=None,
        protocol="vrrp", encryption="plain", network="public",
        why="the balancers agree which of them holds the virtual address",
    )  # fmt: skip


def _request_path(spec: Spec, roles: set[Role]) -> Iterator[Flow]:
    inner = _inner(spec)
    if "web" in roles:
        yield Flow(
            name="balancer-web", source="balancer", target="web", product="nginx", port=WEB[spec.tls.inside],
            protocol="tcp", encryption=inner, network="private", why="balancers pass requests to web servers",
        )  # fmt: skip
    if "app" in roles and spec.app.kind != "static":
        yield Flow(
            name="web-app", source="web", target="app", product="nginx", port=APP[spec.tls.inside],
            protocol="tcp", encryption=inner, network="private",
            why="web servers pass what is not a static file to the application",
        )  # fmt: skip


def _database(spec: Spec) -> Iterator[Flow]:
    inner = _inner(spec)
    if spec.app.kind != "static":
        yield Flow(
            name="app-database", source="app", target="database", product="sqlproxy", port=SQL, protocol="tcp",
            encryption=inner, network="private", why="the application queries the database",
        )  # fmt: skip
        yield Flow(
            name="app-database-status", source="app", target="database", product="sqlproxy",
            port=DATABASE_STATUS, protocol="tcp", encryption=inner, network="private",
            why="application hosts ask each database which one is the primary",
        )  # fmt: skip
    if spec.database and spec.database.mode == "replication":
        for name, product, port, why in (
            ("database-replication", "mariadb", REPLICATION, "replicas follow the primary"),
            (
                "database-status",
                "sqlproxy",
                DATABASE_STATUS,
                "databases ask each other which one is the primary",
            ),
            ("database-seed", "sqlproxy", SEED, "a new replica copies a running server"),
        ):
            yield Flow(
                name=name, source="database", target="database", product=product, port=port, protocol="tcp",
                encryption=inner, network="private", why=why,
            )  # fmt: skip
    if is_automatic(spec) and spec.app.kind != "static":
        yield Flow(
            name="database-announce", source="database", target="app", product="sqlproxy", port=ANNOUNCE,
            protocol="tcp", encryption=inner, network="private",
            why="a new primary tells application hosts at once, who would find out by asking",
        )  # fmt: skip
    if is_automatic(spec):
        for name, port, why in (
            ("voter-peer", ETCD_PEER, "voters agree which database is the primary"),
            ("voter-client", ETCD_CLIENT, "keepers hold and take the primary's role by vote"),
        ):
            # Always mutual TLS: whoever may write here decides who is the primary.
            yield Flow(
                name=name, source="voter", target="voter", product="etcd", port=port, protocol="tcp",
                encryption="mtls", network="private", why=why,
            )  # fmt: skip


def _monitoring(roles: set[Role], spec: Spec) -> Iterator[Flow]:
    """Always mutual TLS: what a monitor is told decides who is woken up, and logs hold what users did."""
    yield Flow(
        name="host-monitor", source="any", target="monitor", product="nginx", port=INGEST, protocol="tcp",
        encryption="mtls", network="private", why="hosts ship metrics, logs and events",
    )  # fmt: skip
    if sum("monitor" in host.roles for host in spec.hosts.values()) > 1:
        yield Flow(
            name="monitor-gossip", source="monitor", target="monitor", product="alertmanager", port=ALERT_GOSSIP,
            protocol="tcp", encryption="mtls", network="private", why="monitors agree which of them sends an alert",
        )  # fmt: skip
    # A monitor asks what users and hosts ask, so that a probe fails when they would.
    if "balancer" in roles:
        yield Flow(
            name="monitor-site", source="monitor", target="balancer", product="haproxy", port=HTTPS, protocol="tcp",
            encryption="tls", network="public", why="monitors ask for the site as clients do",
        )  # fmt: skip
    if "web" in roles:
        yield Flow(
            name="monitor-web", source="monitor", target="web", product="nginx", port=WEB[spec.tls.inside],
            protocol="tcp", encryption=_inner(spec), network="private", why="monitors probe the web servers",
        )  # fmt: skip
    for network in spec.firewall.admin or (None,):
        suffix = "" if len(spec.firewall.admin) <= 1 else f"-{network}"
        yield Flow(
            name=f"admin-dashboard{suffix}", source="admin", target="monitor", product="nginx", port=DASHBOARD,
            protocol="tcp", encryption="tls", network="private", why="administrators open the dashboard",
            external=network,
        )  # fmt: skip


def _alerting(spec: Spec) -> Iterator[Flow]:
    """Where alerts leave the infrastructure; a wall that holds them back would be noticed by nobody."""
    alerting = spec.monitor.alerting
    ways = (
        *([("mail", _port_of(f"smtp://{alerting.email.server}"))] if alerting.email else []),
        *([("slack", HTTPS)] if alerting.slack else []),
        *((f"webhook-{index}", _port_of(hook.url)) for index, hook in enumerate(alerting.webhooks)),
        *([("watchdog", _port_of(alerting.watchdog))] if alerting.watchdog else []),
    )
    for name, port in ways:
        yield Flow(
            name=f"alerts-{name}", source="monitor", target="internet", product="", port=port, protocol="tcp",
            encryption="plain", network="public", why="monitors send alerts",
        )  # fmt: skip


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or {"http": HTTP, "smtp": SMTP}.get(parts.scheme, HTTPS)


def _jumps(spec: Spec) -> Iterator[Flow]:
    """A jump host of ours logs in to the others; one that is not ours belongs into `firewall.admin`."""
    ways = {
        (spec.hosts[ssh.jump].roles[0], ssh.port)
        for name, host in spec.hosts.items()
        for ssh in [host.ssh or spec.ssh]
        if ssh.jump in spec.hosts and ssh.jump != name
    }
    for role, port in sorted(ways):
        yield Flow(
            name=f"jump-ssh-{role}-{port}", source=role, target="any", product="sshd", port=port, protocol="tcp",
            encryption="ssh", network="private", why="administrators reach hosts through a jump host",
        )  # fmt: skip


def _operations(spec: Spec) -> Iterator[Flow]:
    ports = sorted({(h.ssh or spec.ssh).port for h in spec.hosts.values()})
    for port in ports:
        for network in spec.firewall.admin or (None,):
            suffix = "" if len(ports) == 1 and len(spec.firewall.admin) <= 1 else f"-{port}-{network or 'anywhere'}"
            yield Flow(
                name=f"admin-ssh{suffix}", source="admin", target="any", product="sshd", port=port,
                protocol="tcp", encryption="ssh", network="private", why="administrators log in and apply",
                external=network,
            )  # fmt: skip
    yield from _jumps(spec)
    for index, rule in enumerate(spec.firewall.egress):
        for source in rule.roles or ("any",):
            yield Flow(
                name=f"egress-{index}-{source}", source=source, target="internet", product="", port=rule.port,
                protocol=rule.protocol, encryption="plain", network="public", why=rule.why,
                external=None if rule.to == "anywhere" else ip_network(rule.to),
            )  # fmt: skip
