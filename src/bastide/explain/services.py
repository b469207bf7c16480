"""What each product is for, and what is missing while it is down.

In: subject, a product, a host. Out: sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bastide.explain.model import Explanation, Subject
from bastide.explain.words import PRODUCTS, host_names, title
from bastide.policy.cutsets import predict
from bastide.spec.values import format_duration, format_size
from bastide.topology.model import Service


@dataclass(frozen=True, kw_only=True)
class _Product:
    why: str
    down: str
    """While it is down, as far as the requests' fate does not say it already."""


_PRODUCTS: Mapping[str, _Product] = {
    "haproxy": _Product(
        why="It ends the visitors' TLS, bounds what one visitor may do, and spreads requests over the web servers that "
        "answer their health checks.",
        down="Nothing is answered at this host's address. Its unit says so to keepalived, and the virtual address, if "
        "there is one, goes to another. So it does when this balancer reaches no web server.",
    ),
    "keepalived": _Product(
        why="It holds the virtual address on one balancer, and takes it over on another when the holder falls silent.",
        down="This balancer cannot hold the virtual address. Another one takes it.",
    ),
    "nginx": _Product(
        why="In front of static files, of the application and of the dashboard: it ends mutual TLS, checks who asks, "
        "and passes on what it may.",
        down="Nothing behind it is reached on this host; those who ask go to the other hosts of its tier.",
    ),
    "app": _Product(
        why="It is your code. It listens on a local socket and knows nothing of certificates, balancers or replicas.",
        down="This host's nginx finds its socket closed; web servers send requests elsewhere.",
    ),
    "sqlproxy": _Product(
        why="It lets the application speak plain SQL to its own host: it finds the primary, or a fresh replica, by "
        "asking the databases, and carries the SQL to it in a tunnel.",
        down="The application of this host has no database (on a database host: the database is not reached).",
    ),
    "mariadb": _Product(
        why="It holds the data. It listens on the network for replication only; SQL reaches it through a local socket.",
        down="As if this host's database were dead.",
    ),
    "keeper": _Product(
        why="It knows whether this database is the primary: it starts MariaDB read-only, asks the other databases, "
        "follows the newest primary, and copies a running server where there is no data yet.",
        down="Nobody is told that this database may be used, so it is not.",
    ),
    "etcd": _Product(
        why="It is a voter: a majority of voters decides who is the primary, so that there are never two.",
        down="One vote is missing; nothing changes while a majority is left.",
    ),
    "nftables": _Product(
        why="It is the host's wall: what no flow names is dropped, coming, going and passing through, and counted.",
        down="Its rules are in the kernel and stay there. It is loaded before the network comes up.",
    ),
    "sshd": _Product(
        why="Administrators and `bastide apply` come in by it: by key only.",
        down="The host serves on; nobody can change it until its console is used.",
    ),
    "system": _Product(why="Users, kernel settings, time and updates of the host.", down="It is not a program."),
    "node_exporter": _Product(
        why="It tells how the machine fares: processor, memory, disk, network.", down="These figures are missing."
    ),
    "mysqld_exporter": _Product(why="It tells how MariaDB fares.", down="These figures are missing."),
    "vmagent": _Product(
        why="It ships the host's metrics to the monitors, and keeps them on disk while no monitor answers.",
        down="Metrics of this host stop; alerts on their absence fire.",
    ),
    "agent": _Product(
        why="It counts every request from the logs, ships logs and events, and shows the host live.",
        down="The dashboard greys the host out within seconds; what it missed is read from the logs afterwards.",
    ),
    "hub": _Product(
        why="It is the dashboard: live figures, logs and events of all hosts, behind a login.",
        down="The dashboard is dark. Hosts keep logs and events until it is back; alerts do not pass through it.",
    ),
    "prometheus": _Product(
        why="It stores metrics and judges the alert rules.",
        down="Nothing is judged here; hosts keep metrics until it is back.",
    ),
    "alertmanager": _Product(
        why="It groups alerts and sends each of them once.", down="Alerts of this monitor are not sent."
    ),
    "blackbox": _Product(
        why="It asks for the site as a visitor would, and for the web servers as a balancer would.",
        down="What only an outsider notices is not noticed.",
    ),
}


def explain_service(subject: Subject, service: Service) -> Explanation:
    """One product on one host."""
    text = _PRODUCTS[service.product]
    loss = predict(subject.topology, (f"{service.host}/{service.product}",))
    called = PRODUCTS[service.product]
    twins = [s for s in subject.topology.services if s.product == service.product and s.host != service.host]
    others = [subject.topology.hosts[twin.host] for twin in twins]
    fate = f"The site stops: {loss.why}." if loss.reads else "The site goes on."
    restart = (
        ""
        if service.product in ("system", "nftables")
        else "systemd starts it again by itself, at once. Until then: "
    )
    return Explanation(
        kind="service",
        name=f"{service.host}/{service.product}",
        title=f"{title(called)} on {service.host}",
        why=f"{text.why} It runs as `{service.unit}`.{_settings(subject, service.product)}",
        talks=(f"It also runs on {host_names(others)}.",) if others else ("It runs on no other host.",),
        dies=(f"{restart}{_continued(text.down) if restart else text.down}", fate),
        dies_title="If it stops",
        loss=loss,
    )


def _continued(text: str) -> str:
    """As it stands behind a colon; names keep their capital."""
    return text[:1].lower() + text[1:]


def _settings(subject: Subject, product: str) -> str:
    spec = subject.spec
    if product == "app":
        command = f" with `{spec.app.entry}`" if spec.app.entry else ""
        return f" Here it is of the kind `{spec.app.kind}`{command}, in {spec.app.processes} processes."
    if product == "mariadb" and spec.database:
        return f" Its buffer pool has {format_size(spec.database.buffer_pool)}."
    if product == "prometheus":
        return f" It keeps {format_duration(spec.monitor.retention)}, at most {format_size(spec.monitor.retention_size)}."
    return ""


def product_why(product: str) -> str:
    """What it is for."""
    return _PRODUCTS[product].why


def known_products() -> frozenset[str]:
    """Every product that has words here."""
    return frozenset(_PRODUCTS)
