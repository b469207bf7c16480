"""Small specs for tests: a layout of roles on hosts, with addresses, and whatever else a test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from bastide.spec.model import Spec

RESILIENT: Mapping[str, Sequence[str]] = {
    "lb1": ["balancer"],
    "lb2": ["balancer"],
    "web1": ["web"],
    "web2": ["web"],
    "app1": ["app"],
    "app2": ["app"],
    "db1": ["database"],
    "db2": ["database"],
    "monitor1": ["monitor", "witness"],
}
WHITEBOARD: Mapping[str, Sequence[str]] = {
    "lb1": ["balancer"],
    "server1": ["web", "app", "database"],
    "server2": ["web", "app", "database"],
    "monitor1": ["monitor"],
}
EVERYTHING_ON_ONE: Mapping[str, Sequence[str]] = {"all1": ["balancer", "web", "app", "database", "monitor"]}


def make_spec(layout: Mapping[str, Sequence[str]] = RESILIENT, **sections: Any) -> Spec:
    """A valid spec with that layout; keyword arguments replace whole sections."""
    first = int(IPv4Address("10.213.0.10"))
    hosts = {
        name: {
            "roles": list(roles),
            "address": str(IPv4Address(first + index)),
            "public": str(IPv4Address("198.18.0.10") + index) if "balancer" in roles else None,
        }
        for index, (name, roles) in enumerate(layout.items())
    }
    balancers = sum("balancer" in roles for roles in layout.values())
    databases = sum("database" in roles for roles in layout.values())
    document: dict[str, Any] = {
        "name": "shop",
        "domains": ["shop.test"],
        "hosts": hosts,
        "balancer": {"virtual_ip": "198.18.0.5", "interface": "pub0"} if balancers > 1 else {},
        "app": {"kind": "wsgi", "entry": "shop:app"},
        "firewall": {"admin": ["10.213.0.1/32"]},
    }
    if databases:
        document["database"] = {"mode": "replication" if databases > 1 else "single", "name": "shop"}
    document.update(sections)
    return Spec.model_validate(document)
