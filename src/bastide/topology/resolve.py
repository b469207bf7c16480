"""Spec -> Topology: names become hosts with addresses, roles become services, the layout becomes flows.

In: a Spec whose hosts all have a private address (the lab assigns them; on servers they stand in the file).
Out: Topology. Raises UnresolvedAddress with every host that lacks one.
Holds: pure, and linear in the number of hosts.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.spec.failover import derive_voters, is_automatic
from bastide.spec.model import Spec
from bastide.spec.parts import Role
from bastide.topology.flows import derive_flows
from bastide.topology.model import Host, Service, Topology

_ROLE_SERVICES: dict[Role, tuple[tuple[str, str], ...]] = {
    "balancer": (("haproxy", "haproxy.service"),),
    "web": (("nginx", "nginx.service"),),
    "app": (("nginx", "nginx.service"), ("app", "app.service"), ("sqlproxy", "sqlproxy.service")),
    "database": (
        ("mariadb", "mariadb.service"),
        ("keeper", "keeper.service"),
        ("sqlproxy", "sqlproxy.service"),
    ),
    "monitor": (
        ("nginx", "nginx.service"),
        ("prometheus", "prometheus.service"),
        ("alertmanager", "prometheus-alertmanager.service"),
        ("blackbox", "prometheus-blackbox-exporter.service"),
        ("hub", "bastide-hub.service"),
    ),
    "witness": (),
}


class UnresolvedAddress(Exception):
    """Hosts without a private address: nothing can be derived for them. `hosts` names them all."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self.hosts = hosts
        super().__init__(f"no address for {', '.join(hosts)}")


def resolve_topology(spec: Spec) -> Topology:
    """The infrastructure that a spec describes."""
    missing = tuple(name for name, host in spec.hosts.items() if host.address is None and host.public is None)
    if missing:
        raise UnresolvedAddress(missing)
    voters = derive_voters(spec) if is_automatic(spec) else ()
    hosts = {
        name: Host(
            name=name,
            roles=host.roles,
            private=host.address or host.public,  # type: ignore[arg-type]
            public=host.public,
            votes=name in voters,
        )
        for name, host in spec.hosts.items()
    }
    virtual_ip = None if isinstance(spec.balancer.virtual_ip, str) else spec.balancer.virtual_ip
    monitored = any("monitor" in host.roles for host in hosts.values())
    return Topology(
        name=spec.name,
        domains=spec.domains,
        internal_domain=f"{spec.name}.internal",
        hosts=hosts,
        services=tuple(
            service for host in hosts.values() for service in _services(spec, host, monitored=monitored)
        ),
        flows=derive_flows(spec),
        virtual_ip=virtual_ip,
        writes_need_standby=is_automatic(spec) and spec.database.without_standby == "block",  # type: ignore[union-attr]
        promises_replace_votes=is_automatic(spec) and spec.database.without_quorum == "go_on",  # type: ignore[union-attr]
    )


def _services(spec: Spec, host: Host, *, monitored: bool) -> Iterator[Service]:
    found: dict[str, str] = {
        "nftables": "bastide-firewall.service",
        "sshd": "ssh.service",
        "system": "multi-user.target",
    }
    for role in host.roles:
        found.update(_ROLE_SERVICES[role])
    if host.votes:
        found["etcd"] = "etcd.service"
    if "balancer" in host.roles and not isinstance(spec.balancer.virtual_ip, str):
        found["keepalived"] = "keepalived.service"
    if spec.app.kind == "static" and not {"web", "monitor"} & set(host.roles):
        found.pop("nginx", None)
    if spec.app.kind == "static":
        found.pop("app", None)
    if spec.database is None:
        for product in ("mariadb", "keeper", "sqlproxy"):
            found.pop(product, None)
    elif spec.app.kind == "static" and "database" not in host.roles:
        found.pop("sqlproxy", None)
    if monitored:
        found |= {
            "node_exporter": "prometheus-node-exporter.service",
            "vmagent": "vmagent.service",
            "agent": "bastide-agent.service",
        }
        if "mariadb" in found:
            found["mysqld_exporter"] = "prometheus-mysqld-exporter.service"
    for product, unit in found.items():
        yield Service(product=product, host=host.name, unit=unit)
