"""What the hub of one monitor is told.

In: HostContext. Out: the plain values of settings.json and secrets.json, and `HubView` for the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from bastide.draw.picture import derive_picture
from bastide.draw.svg import render_svg
from bastide.policy.secrets import HUB_PUSH_TOKEN
from bastide.products.context import HostContext, tier_wide
from bastide.topology.flows import LOCAL_ALERTMANAGER, LOCAL_HUB, LOCAL_PROMETHEUS
from bastide.topology.model import Host, Topology

PROGRAM = "/etc/bastide/hub/hub.pyz"
SETTINGS = "/etc/bastide/hub/settings.json"
PICTURE = "/etc/bastide/hub/picture.svg"
SECRETS = "/etc/bastide/hub/secrets.json"
USER = "bastide-hub"
NGINX_GROUP = "www-data"
"""Debian's nginx workers open the socket as this group."""
_RUN = "/run/bastide-hub"
_STATE = "/var/lib/bastide-hub"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubView:
    """Values of the unit."""

    host: str
    user: str
    nginx_group: str
    program: str
    settings: str


def view_hub(context: HostContext) -> HubView:
    """The unit of one monitor."""
    return HubView(host=context.host.name, user=USER, nginx_group=NGINX_GROUP, program=PROGRAM, settings=SETTINGS)


def derive_settings(context: HostContext) -> dict[str, Any]:
    """settings.json."""
    spec = context.spec
    return {
        "format": 1,
        **_project(context),
        "host": context.host.name,
        "url": dashboard_url(context.topology, context.host),
        "max_replica_lag_s": spec.database.max_replica_lag if spec.database else 0.0,
        "picture": PICTURE,
        "socket": f"{_RUN}/hub.sock",
        "admin_socket": f"{_RUN}/admin.sock",
        "socket_group": NGINX_GROUP,
        "metrics_port": LOCAL_HUB,
        "prometheus": f"http://127.0.0.1:{LOCAL_PROMETHEUS}",
        "alertmanager": f"http://127.0.0.1:{LOCAL_ALERTMANAGER}",
        "state": _STATE,
        "log_retention_s": spec.monitor.log_retention,
        "log_retention_bytes": spec.monitor.log_retention_size,
        "secrets": SECRETS,
    }


def derive_secrets(context: HostContext) -> dict[str, Any]:
    """secrets.json."""
    return {"push": {"default": context.materials.secrets[HUB_PUSH_TOKEN]}}


def dashboard_url(topology: Topology, monitor: Host) -> str:
    """Where administrators open a monitor's dashboard."""
    port = next(flow.port for flow in topology.flows if flow.name.startswith("admin-dashboard"))
    address = monitor.private
    return f"https://[{address}]:{port}/" if isinstance(address, IPv6Address) else f"https://{address}:{port}/"


@tier_wide
def draw_whiteboard(topology: Topology) -> bytes:
    """The dashboard's picture."""
    return render_svg(derive_picture(topology), theme="auto", live=True).encode()


@tier_wide
def _project(topology: Topology) -> dict[str, Any]:
    """What every monitor is told alike."""
    return {
        "project": topology.name,
        "domains": list(topology.domains),
        "hosts": [
            {
                "name": host.name,
                "roles": list(host.roles),
                "address": str(host.private),
                "services": [service.product for service in topology.services_of(host.name)],
            }
            for host in topology.hosts.values()
        ],
        "flows": [
            {
                "name": flow.name,
                "source": flow.source,
                "target": flow.target,
                "product": flow.product,
                "port": flow.port,
                "protocol": flow.protocol,
                "encryption": flow.encryption,
                "network": flow.network,
                "why": flow.why,
            }
            for flow in topology.flows
        ],
        "virtual_ip": None if topology.virtual_ip is None else str(topology.virtual_ip),
    }
