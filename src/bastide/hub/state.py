"""Everything that the dashboard, `bastide top` and `bastide status` show of now.

In: settings, live hosts, what happened. Out: the plain values of `/api/state`, and its verdict.
Holds: pure; data that is old says how old it is and is never shown as healthy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bastide.hub.figures import Figures, read_name, total
from bastide.hub.live import Live, LiveHost
from bastide.hub.pulse import DEAD_S
from bastide.hub.reconcile import reconcile
from bastide.hub.settings import Settings
from bastide.hub.verdict import derive_verdict

SERVICES = ("edge", "web", "app", "database")


def derive_state(
    settings: Settings,
    live: Live,
    *,
    now: float,
    started: float,
    failed_units: Mapping[str, Sequence[str]],
    alerts: Sequence[Mapping[str, Any]],
    alerting: float | None,
) -> dict[str, Any]:
    """`/api/state`, keys once published stay. `alerting`: seconds since Alertmanager answered; None: there is none."""
    hosts = [
        _host(settings, host, live.freshness(host, now), now=now, failed=failed_units.get(host.name, ()))
        for host in live.hosts.values()
    ]
    heard = [host for host in live.hosts.values() if host.frames]
    current = [host for host in heard if now - host.heard <= DEAD_S]
    services = _services(current)
    vip = [h["name"] for h in hosts if h["vip"] and h["state"] != "dead"]
    databases = _database(hosts)
    # The dead too: what they had counted until then is missing, and that is no drift.
    edge = [h for h in live.hosts.values() if "balancer" in settings.hosts[h.name].roles]
    web = [h for h in live.hosts.values() if "web" in settings.hosts[h.name].roles]
    state: dict[str, Any] = {
        "version": 1,
        "name": settings.project,
        "t": round(now, 3),
        "monitor": settings.host,
        "domains": list(settings.domains),
        "data_age_s": round(max((now - h.heard for h in heard), default=now - started), 1),
        "hosts": hosts,
        "services": services,
        "virtual_ip": {"address": settings.virtual_ip, "holders": vip} if settings.virtual_ip else None,
        "database": databases,
        "counted": _counted(heard),
        "reconciliation": reconcile(edge, web, now),
        "alerts": [dict(alert) for alert in alerts],
        "alerting_age_s": None if alerting is None else round(alerting, 1),
    }
    state["verdict"] = derive_verdict(settings, state, age=now - started)
    return state


def compact_state(state: dict[str, Any]) -> dict[str, Any]:
    """What moves: `/api/state` without addresses, roles and patience; of a host's services the figures of a glance."""
    plain = {key: value for key, value in state.items() if key not in ("version", "name", "domains", "monitor")}
    plain["hosts"] = [
        {key: value for key, value in host.items() if key not in ("roles", "address", "patience_s")}
        | {
            "services": {
                name: {key: figures[key] for key in ("rate", "errors", "error_share", "p99_ms")}
                for name, figures in host["services"].items()
            }
        }
        for host in state["hosts"]
    ]
    return plain


def picture(settings: Settings) -> dict[str, Any]:
    """What does not change while we run: the topology picture's inputs."""
    return {
        "project": settings.project,
        "hosts": [
            {"name": h.name, "roles": list(h.roles), "address": h.address, "services": list(h.services)}
            for h in settings.hosts.values()
        ],
        "flows": [dict(flow) for flow in settings.flows],
        "virtual_ip": settings.virtual_ip,
        "domains": list(settings.domains),
    }


def _host(
    settings: Settings, host: LiveHost, freshness: str, *, now: float, failed: Sequence[str]
) -> dict[str, Any]:
    age = now - host.heard if host.frames else None
    frame = host.frames[-1] if host.frames else None
    role = host.gauge("database_role")
    return {
        "name": host.name,
        "roles": list(settings.hosts[host.name].roles),
        "address": settings.hosts[host.name].address,
        "age_s": None if age is None else round(age, 1),
        "state": freshness,
        "patience_s": round(host.pulse.patience_s, 2),
        "gauges": dict(frame.gauges) if frame else {},
        "dropped": {
            way: frame.counters.get(f"dropped_packets|{way}", 0.0) if frame else 0.0 for way in ("in", "out")
        },
        "vip": bool(host.gauge("vip")),
        "database": None if role is None else "primary" if role >= 1 else "replica",
        "lag_s": host.gauge("database_lag_s"),
        "failed_units": list(failed),
        "services": host.services if age is not None and age <= DEAD_S else {},
    }


def _services(hosts: Sequence[LiveHost]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for service in SERVICES:
        parts: dict[str, list[Figures]] = {}
        for host in hosts:
            for (of, route), figures in host.figures.items():
                if of == service:
                    parts.setdefault(route, []).append(figures)
        if not parts:
            continue
        routes = {route: total(figures) for route, figures in parts.items()}
        found[service] = {
            **total(routes.values()).to_json(),
            "routes": {route: figures.to_json() for route, figures in routes.items() if route},
        }
    return found


def _counted(hosts: Sequence[LiveHost]) -> dict[str, dict[str, int]]:
    """Requests that each tier's agents ever counted, by route; a host that died keeps its part."""
    found: dict[str, dict[str, int]] = {}
    for host in hosts:
        for name, value in host.frames[-1].counters.items():
            counter = read_name(name)
            if counter is not None and counter.status:
                service, route = counter.of
                routes = found.setdefault(service, {})
                routes[route] = routes.get(route, 0) + int(value)
    return found


def _database(hosts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    members = [h for h in hosts if "database" in h["roles"]]
    if not members:
        return None
    return {
        "primaries": [h["name"] for h in members if h["database"] == "primary" and h["state"] != "dead"],
        "members": {h["name"]: {"role": h["database"], "lag_s": h["lag_s"]} for h in members},
    }
