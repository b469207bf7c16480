"""Every product's rules, gathered for the monitors.

In: spec and topology. Out: groups of rules by the product that they are about, and the dashboard's URL.
Holds: a product that the layout does not have adds no rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bastide.products.blackbox import alerts as blackbox
from bastide.products.etcd import alerts as etcd
from bastide.products.haproxy import alerts as haproxy
from bastide.products.hub.view import dashboard_url as dashboard_of
from bastide.products.keepalived import alerts as keepalived
from bastide.products.mariadb import alerts as mariadb
from bastide.products.node_exporter import alerts as node_exporter
from bastide.products.prometheus import alerts, slo, traffic
from bastide.products.rules import Group
from bastide.products.vmagent import alerts as vmagent
from bastide.spec.model import Spec
from bastide.topology.model import Topology

_RULES: Mapping[str, Callable[[Spec, Topology], tuple[Group, ...]]] = {
    "traffic": traffic.derive_rules,
    "slo": slo.derive_rules,
    "haproxy": haproxy.derive_rules,
    "etcd": etcd.derive_rules,
    "keepalived": keepalived.derive_rules,
    "mariadb": mariadb.derive_rules,
    "hosts": node_exporter.derive_rules,
    "probes": blackbox.derive_rules,
    "shipping": vmagent.derive_rules,
    "monitoring": alerts.derive_rules,
}


def derive_rules(spec: Spec, topology: Topology) -> dict[str, tuple[Group, ...]]:
    """Groups by file."""
    found = {name: derive(spec, topology) for name, derive in _RULES.items()}
    return {name: groups for name, groups in found.items() if groups}


def dashboard_url(topology: Topology) -> str:
    """Where administrators look; the first monitor's."""
    return dashboard_of(topology, topology.tier("monitor")[0]).rstrip("/")
