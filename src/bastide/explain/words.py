"""How things are called.

In: numbers, names, tiers, flows. Out: words. Holds: a list of many names is told by its ends and its number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bastide.topology.model import Flow, Host, Topology, Zone

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TIERS: Mapping[str, tuple[str, str]] = {
    "balancer": ("balancer", "balancers"),
    "web": ("web server", "web servers"),
    "app": ("application host", "application hosts"),
    "database": ("database host", "database hosts"),
    "monitor": ("monitor", "monitors"),
    "witness": ("witness", "witnesses"),
}
PRODUCTS: Mapping[str, str] = {
    "haproxy": "HAProxy", "keepalived": "keepalived", "nginx": "nginx", "app": "the application",
    "sqlproxy": "sqlproxy", "mariadb": "MariaDB", "keeper": "the keeper", "etcd": "etcd", "sshd": "sshd",
    "hub": "the hub", "prometheus": "Prometheus", "alertmanager": "Alertmanager", "blackbox": "the prober",
    "nftables": "the wall", "agent": "the agent", "vmagent": "vmagent", "node_exporter": "node_exporter",
    "mysqld_exporter": "mysqld_exporter", "system": "the system",
}  # fmt: skip
_MANY = 4


def number(count: int) -> str:
    """`three`, `47`."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """`one host`, `47 hosts`."""
    return f"{number(count)} {singular if count == 1 else plural or singular + 's'}"


def tier_name(zone: str, count: int = 2) -> str:
    """`web servers`, or one of them."""
    return _TIERS.get(zone, (zone, zone))[count != 1]


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "nobody"


def names(hosts: Sequence[str], last: str = "and") -> str:
    """`web1, web2 and web3`; many by their ends: `web1 … web40 (40 hosts)`."""
    marked = [f"`{name}`" for name in hosts]
    if len(hosts) <= _MANY:
        return listed(marked, last)
    return f"{marked[0]} … {marked[-1]} ({len(hosts)} hosts)"


def host_names(hosts: Sequence[Host], last: str = "and") -> str:
    """The same, of hosts."""
    return names([host.name for host in hosts], last)


def title(text: str) -> str:
    """With a capital; names of programs keep their own spelling."""
    return text if text in PRODUCTS.values() and not text.startswith("the ") else text[:1].upper() + text[1:]


def times(count: int) -> str:
    """`once`, `twice`, `three times`."""
    return {1: "once", 2: "twice"}.get(count, f"{number(count)} times")


def place(topology: Topology, zone: Zone, flow: Flow | None = None, *, without: str = "") -> str:
    """Who stands in a zone: `the internet`, `administrators (203.0.113.0/24)`, `web1 and web2`."""
    if zone == "internet":
        outside = flow.external if flow is not None else None
        return f"the network {outside}" if outside else "the internet"
    if zone == "admin":
        outside = flow.external if flow is not None else None
        return f"administrators in {outside}" if outside else "anywhere"
    hosts = [host for host in topology.tier(zone) if host.name != without]
    if zone == "any" and len(hosts) > 1:
        return "every other host" if without else "every host"
    return host_names(hosts) if hosts else "nobody"


def port_of(flow: Flow) -> str:
    """`8443/tcp`, or the protocol where there is no port."""
    return flow.protocol.upper() if flow.port is None else f"{flow.port}/{flow.protocol}"
