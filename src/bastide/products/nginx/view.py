"""What nginx does on one host: every decision, typed.

In: a HostContext. Out: `NginxView`, which the templates print.
Holds: a listener accepts exactly the peers of its flow, by certificate subject (or, in plain mode, by address);
it believes forwarded headers only from them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from bastide.policy.identities import (
    Identity,
    derive_accepted_addresses,
    derive_accepted_peers,
    derive_source_addresses,
)
from bastide.products.context import HostContext, tier_wide
from bastide.products.nginx.application import Application, derive_application
from bastide.spec.values import IPAddress
from bastide.topology.model import Flow, Host, Topology, Zone

CONFIG = "/etc/bastide/nginx"
LOGS = "/var/log/bastide"
PATH_SAFE = "/?&=%:@!*+,;~-._"
"""What stands in a path as it is; all else is percent-encoded."""
HUB_SOCKET = "/run/bastide-hub/hub.sock"
REQUEST_FIELDS: Mapping[str, str] = {
    "ended_s": "$msec",
    "status": "$status",
    "method": "$known_method",
    "route": "$ROLE_route",
    "request_s": "$request_time",
    "upstream_s": "$upstream_response_time",
    "bytes_sent": "$bytes_sent",
    "client": "$remote_addr",
    "request_id": "$bastide_request_id",
    "uri": "$request_uri",
    "connection_requests": "$connection_requests",
}
"""Fields of a line of a request log, in order; the agent counts by these names. ROLE stands for the listener's."""
NEVER_REACHED = 597
"""Status between our own two nginx tiers: the application never saw this request, so another host may have it,
whatever its method. nginx's own retry must refuse a POST here, since it had sent it to the other nginx."""
DELETED_HEADERS = (
    "Forwarded",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Prefix",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Client-IP",
    "True-Client-IP",
    "Proxy",
)
"""Headers in which a visitor could say who it is, where it came from or what it asks for, and be believed by some
framework. `Proxy` becomes HTTP_PROXY in CGI's variables (httpoxy)."""
WEBSOCKET_KINDS = ("asgi", "command")
MAX_SECOND_TRIES = 4
"""Further application hosts that a request is offered to, one after the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A `server` that only the peers of one flow may use."""

    role: str
    """Whose certificate it shows; also the name of its log and variables."""
    endpoint: str
    """address:port."""
    mtls: bool
    accepted: tuple[str, ...]
    """Certificate subjects with mtls, source addresses without."""
    trusted: tuple[str, ...]
    """Addresses whose X-Forwarded-For is believed."""

    @property
    def log(self) -> str:
        """Its request log."""
        return f"{LOGS}/nginx-{self.role}.tsv"

    @property
    def log_line(self) -> str:
        """Format of a line; nginx itself reads the escape."""
        return r"\t".join(REQUEST_FIELDS.values()).replace("ROLE", self.role)


@dataclass(frozen=True, kw_only=True, slots=True)
class Static:
    """A folder of files below a URL prefix."""

    prefix: str
    """Begins and ends with a slash."""
    folder: str
    """Ends with a slash."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """One application host as a web server sees it."""

    name: str
    endpoint: str
    backup: bool
    """Used only when the others are gone: this host's own application comes first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upstream:
    """The way from a web server to the application hosts."""

    servers: tuple[Server, ...]
    second_tries: tuple[Server, ...]
    """Asked in this order when a host says that its application never saw the request."""
    mtls: bool
    name: str
    """What every server's certificate must say."""
    keepalive: int
    timeout_s: int

    @property
    def scheme(self) -> str:
        """Scheme of `proxy_pass`."""
        return "https" if self.mtls else "http"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebBlock:
    """What the role `web` adds."""

    listener: Listener
    static: tuple[Static, ...]
    root: str | None
    """Folder served at `/`: with `app.kind: static` the site itself, else files that go before the application."""
    upstream: Upstream | None
    gzip: bool
    expires_s: int
    snippet: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AppBlock:
    """What the role `app` adds."""

    listener: Listener
    application: Application


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A host that may ship to a monitor."""

    subject: str
    """Of its certificate."""
    host: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorBlock:
    """What the role `monitor` adds: where hosts ship to, and the dashboard."""

    ingest: str
    """address:port."""
    peers: tuple[Peer, ...]
    hub: str
    """Unix socket of the hub."""
    dashboard: str
    log: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NginxView:
    """nginx on one host."""

    project: str
    host: str
    workers: str
    worker_connections: int
    open_files: int
    shutdown_s: int
    max_body_bytes: int
    snippet: str
    web: WebBlock | None
    app: AppBlock | None
    monitor: MonitorBlock | None
    websockets: bool
    never_reached: int = NEVER_REACHED
    deleted_headers: tuple[str, ...] = DELETED_HEADERS

    @property
    def proxies(self) -> bool:
        """Whether requests go on by HTTP from here."""
        return (self.web is not None and self.web.upstream is not None) or (
            self.app is not None and self.app.application.php is None
        )

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every listener of the site's requests."""
        return tuple(block.listener for block in (self.web, self.app) if block)


def derive_view(context: HostContext) -> NginxView:
    """The decisions for that host."""
    web, timeout_s = context.spec.web, math.ceil(context.spec.app.timeout)
    return NginxView(
        project=context.spec.name,
        host=context.host.name,
        workers=str(web.workers or "auto"),
        worker_connections=web.worker_connections,
        # A proxied request holds two descriptors, and may hold a third for a buffered body.
        open_files=max(65536, 4 * web.worker_connections),
        shutdown_s=timeout_s + 5,
        max_body_bytes=web.max_body_size,
        snippet=web.snippets.http,
        websockets=context.spec.app.kind in WEBSOCKET_KINDS,
        web=_web_block(context) if "web" in context.host.roles else None,
        monitor=_monitor_block(context) if "monitor" in context.host.roles else None,
        app=_app_block(context) if "app" in context.host.roles and context.spec.app.kind != "static" else None,
    )


def _monitor_block(context: HostContext) -> MonitorBlock:
    topology, ingest = context.topology, context.topology.flow("host-monitor")
    dashboard = next(flow for flow in topology.flows if flow.name.startswith("admin-dashboard"))
    return MonitorBlock(
        ingest=_endpoint(context.host, ingest),
        peers=_peers(context, ingest),
        hub=HUB_SOCKET,
        dashboard=_endpoint(context.host, dashboard),
        log=f"{LOGS}/nginx-dashboard.log",
    )


@tier_wide
def _peers(topology: Topology, flow: Flow) -> tuple[Peer, ...]:
    return tuple(
        Peer(subject=f"CN={peer.common_name}", host=peer.host) for peer in derive_accepted_peers(topology, flow)
    )


def format_endpoint(address: IPAddress, port: int) -> str:
    """`10.0.0.1:80`, or `[fd00::1]:80`."""
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"


def _web_block(context: HostContext) -> WebBlock:
    spec = context.spec
    static = tuple(
        Static(prefix=_slashed(prefix), folder=_release_folder(context, f"static-{index}"))
        for index, prefix in enumerate(spec.web.static)
    )
    if spec.app.kind == "static":
        root: str | None = _release_folder(context, "app")
    else:
        root = next((s.folder for s in static if s.prefix == "/"), None)
    return WebBlock(
        listener=_listener(context, "balancer-web", "web"),
        static=tuple(s for s in static if s.prefix != "/"),
        root=root,
        upstream=_upstream(context) if context.topology.has_flow("web-app") else None,
        gzip=spec.web.gzip,
        expires_s=round(spec.web.static_expires),
        snippet=spec.web.snippets.server,
    )


def _app_block(context: HostContext) -> AppBlock:
    return AppBlock(listener=_listener(context, "web-app", "app"), application=derive_application(context))


def _listener(context: HostContext, flow_name: str, role: str) -> Listener:
    flow = context.topology.flow(flow_name)
    mtls = flow.encryption == "mtls"
    return Listener(
        role=role,
        endpoint=_endpoint(context.host, flow),
        mtls=mtls,
        accepted=_subjects(context, flow) if mtls else _addresses(context, flow),
        # Monitors are heard here too, but only the flow's own tier speaks for others.
        trusted=_sources(context, flow),
    )


@tier_wide
def _sources(topology: Topology, flow: Flow) -> tuple[str, ...]:
    return tuple(str(address) for address in derive_source_addresses(topology, flow))


@tier_wide
def _addresses(topology: Topology, flow: Flow) -> tuple[str, ...]:
    return tuple(str(address) for address in derive_accepted_addresses(topology, flow))


@tier_wide
def _subjects(topology: Topology, flow: Flow) -> tuple[str, ...]:
    return tuple(f"CN={peer.common_name}" for peer in derive_accepted_peers(topology, flow))


def _upstream(context: HostContext) -> Upstream:
    topology, flow = context.topology, context.topology.flow("web-app")
    own, servers = context.host.name, _servers(context, flow)
    if "app" in context.host.roles:
        servers = tuple(replace(server, backup=server.name != own) for server in servers)
    # Each web server begins its second tries elsewhere, so that a lost host's share is spread.
    start = _places(context, "web").get(own, 0) % max(len(servers), 1)
    others = tuple(s for s in (*servers[start:], *servers[:start]) if s.name != own)
    return Upstream(
        servers=servers,
        second_tries=others[:MAX_SECOND_TRIES],
        mtls=flow.encryption == "mtls",
        name=Identity(role="app", host="").tier_dns_name(topology.internal_domain),
        keepalive=context.spec.web.upstream_keepalive,
        # The application's own limit strikes first, then its nginx, then this one: the message names the culprit.
        timeout_s=math.ceil(context.spec.app.timeout) + 4,
    )


@tier_wide
def _servers(topology: Topology, flow: Flow) -> tuple[Server, ...]:
    return tuple(Server(name=h.name, endpoint=_endpoint(h, flow), backup=False) for h in topology.tier(flow.target))


@tier_wide
def _places(topology: Topology, zone: Zone) -> Mapping[str, int]:
    return {host.name: place for place, host in enumerate(topology.tier(zone))}


def _endpoint(host: Host, flow: Flow) -> str:
    assert flow.port is not None
    return format_endpoint(host.private, flow.port)


def _slashed(prefix: str) -> str:
    return re.sub("/+", "/", f"/{prefix}/")


def _release_folder(context: HostContext, name: str) -> str:
    return f"/srv/bastide/{name}/{context.materials.releases[name].digest}/"
