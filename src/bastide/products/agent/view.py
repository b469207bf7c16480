"""What the agent of one host is told, and what its units may do.

In: HostContext. Out: the plain values of settings.json, and `AgentView` for the units.
Holds: columns, paths and sockets come from the products that own them; ports from `topology/flows.py`.

Least privilege. The agent listens and speaks to the network, so it may do nothing else: it reads logs as a member of
`adm` and the journal as one of `systemd-journal`, with no capability. Two small units beside it have one capability
each and no network: one writes the firewall's counters to a file (CAP_NET_ADMIN, which netlink asks for even to
read), one compares the files of the live generation with its manifest (CAP_DAC_READ_SEARCH).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bastide.policy.identities import Identity
from bastide.products.context import HostContext
from bastide.products.haproxy import view as haproxy
from bastide.products.mariadb import paths
from bastide.products.nginx import view as nginx
from bastide.products.vmagent.view import derive_exporters
from bastide.topology.flows import LOCAL_AGENT, LOCAL_OTLP, LOCAL_STATSD

FOLDER = "/etc/bastide/agent"
PROGRAM = f"{FOLDER}/agent.pyz"
SETTINGS = f"{FOLDER}/settings.json"
STATE = "/var/lib/bastide-agent"
RUNTIME = "/run/bastide-agent"
CURRENT = "/var/lib/bastide/current"
USER = "bastide-agent"
SPOOL_SHARE = 4
"""The agent's spool is a quarter of `monitor.spool`, beside vmagent's: logs pack better than metrics."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentView:
    """Values of the units."""

    host: str
    user: str
    program: str
    settings: str
    runtime: str
    current: str
    sandbox: tuple[str, ...]
    drift_sandbox: tuple[str, ...]
    firewall_sandbox: tuple[str, ...]


def derive_settings(context: HostContext) -> dict[str, Any]:
    """settings.json."""
    topology = context.topology
    flow = topology.flow("host-monitor")
    balancer = "balancer" in context.host.roles
    monitors = topology.tier(flow.target)
    return {
        "format": 1,
        "host": context.host.name,
        "state": STATE,
        "monitors": [
            {
                "name": host.name,
                "url": f"https://{nginx.format_endpoint(host.private, flow.port or 0)}",
                "server_name": Identity(role="monitor", host="").tier_dns_name(topology.internal_domain),
            }
            for host in monitors
        ],
        "tls": {
            "root": f"{FOLDER}/root.pem",
            "certificate": f"{FOLDER}/certificate.pem",
            "key": f"{FOLDER}/key.pem",
        },
        "logs": list(_logs(context)),
        "listen": f"127.0.0.1:{LOCAL_AGENT}",
        "statsd": f"127.0.0.1:{LOCAL_STATSD}",
        "otlp": f"127.0.0.1:{LOCAL_OTLP}",
        "spool_bytes": context.spec.monitor.spool // SPOOL_SHARE,
        # Hosts that have no edge are not restarted for it.
        "log_requests": context.spec.monitor.request_log if balancer else "errors",
        "virtual_ip": str(topology.virtual_ip) if balancer and topology.virtual_ip else None,
        "haproxy_socket": haproxy.STATS_SOCKET if balancer else None,
        "keeper_socket": paths.KEEPER_SOCKET if context.runs("keeper") else None,
        "exporters": [[job, port] for job, port, _ in derive_exporters(context) if job != "agent"],
        "firewall_counters": f"{RUNTIME}/firewall.json",
        "current": CURRENT,
        "drift_record": f"{RUNTIME}/drift.json",
        "drift_request": f"{RUNTIME}/look",
    }


def _logs(context: HostContext) -> Iterator[dict[str, Any]]:
    if "balancer" in context.host.roles:
        yield {
            "service": "edge",
            "path": f"{haproxy.LOG_FOLDER}/access.tsv",
            "format": "haproxy",
            "columns": list(haproxy.REQUEST_FIELDS),
            "failed_columns": list(haproxy.FAILED_CONNECTION_FIELDS),
            "routes": [haproxy.ROUTE_APP, *haproxy.derive_routes(context)],
            "servers": [host.name for host in context.topology.tier("web")],
            "frontends": list(haproxy.FRONTENDS),
        }
    for listener in _request_listeners(context):
        yield {
            "service": listener.role,
            "path": listener.log,
            "format": "nginx",
            "columns": list(nginx.REQUEST_FIELDS),
            "routes": _nginx_routes(context, listener.role),
        }


def _request_listeners(context: HostContext) -> tuple[nginx.Listener, ...]:
    view = nginx.derive_view(context) if {"web", "app"} & set(context.host.roles) else None
    return tuple(block.listener for block in (view.web, view.app) if block) if view else ()


def _nginx_routes(context: HostContext, role: str) -> list[str]:
    """As the `map` of the listener gives them."""
    view = nginx.derive_view(context)
    static = view.web.static if role == "web" and view.web else ()
    return ["app", "refused", *(quote(s.prefix, safe=nginx.PATH_SAFE) for s in static)]
