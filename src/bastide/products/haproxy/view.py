"""What HAProxy does on one balancer: every decision, typed.

In: a HostContext. Out: `HaproxyView`, which the templates only write down. Holds: no port, address or name
stands here that a flow, a host or the spec did not give.

Decisions that are not obvious
- **Access log: one TSV line a request, on stdout, which the unit appends to a plain file** (`REQUEST_FIELDS`).
  Sockets and journald lose lines whenever their reader is slow, and say so to nobody; a file has no reader to
  wait for, and outlives the one that counts. It costs 5 % of the throughput over HTTP/1.1, 28 % over HTTP/2.
  HAProxy cannot reopen such a file, so it is never rotated: what is older than the last 256 MiB is punched out of
  its front (`fallocate`), which loses no line as copy-and-truncate does, and leaves every offset valid for a reader
  that remembers one.
- **A lane for each thread** (`Lane`). Threads that share a log's descriptor give up a line after a few hundred
  turns of waiting for each other (measured: 76 of 200,000 on two busy cores, 15 of 30,000 on starved ones; HAProxy
  calls them `DroppedLogs`). So each thread has frontends, listeners and a descriptor of its own, and none ever
  waits. It is one opened file all the same: HAProxy takes O_APPEND away, and what is opened twice writes over
  itself (measured: 16 of 40 lines left). For the same reason the unit moves the place in the file to its end first:
  a restart overwrote the log from its top, and the agent took it for a new one (measured: 54,795 counted twice).
  The number of threads must be known when this is written, so the default is two.
- **HTTP/1.1 to nginx,** kept alive: 22,000 requests/s, 240 connections for 200,000 requests; HTTP/2 gave
  19,000, and errors whenever nginx closed a connection after its 1000 requests.
- **Slow bodies.** Head and body are awaited together for `timeouts.request`, until the body is whole or fills
  one buffer (about 15 kB), so a trickled form costs no web server anything. A larger upload may take as long as
  it likes while it moves: silence is bounded by `timeouts.client`, the number of such clients by the limit on
  connections, the size by `web.max_body_size`, and no application worker waits for it, because nginx takes the
  whole body first. Too large a body is refused by nginx, not here: HAProxy resets the connection of a client
  that still sends, and the client never sees the 413 (curl: exit 55 over HTTP/1.1, 92 over HTTP/2); what nginx
  answers arrives.
- **Repeating requests.** A refused connection is repeated for any method. A connection that died after the
  request was sent, and a 502, only for GET, HEAD and OPTIONS. Not 503 and 504, nor a late answer: these are the
  application's word, and to repeat them multiplies the load that caused them. HAProxy by itself tells *clients*
  to repeat when a server dies (HTTP/2: REFUSED_STREAM, later requests of HTTP/1.1: silent close; haproxy#3414):
  a POST that killed its server ran twice (measured with curl). So other methods pass a second frontend in the
  same process, on a connection of their own, and get an honest 502.
- **Dead machines** send no reset. Unacknowledged data for `DEAD_PEER_S`, or that long without an answer to
  keep-alive probes, ends the connection, so that a request is not left hanging for `timeouts.server`.
- **Which errors count against a web server:** only those of connections. An application's own 500s say nothing
  about the nginx in front of it. An error hastens the checks, and does not by itself take the server out: with
  one server left HAProxy waits a second before it repeats a request (measured: 1.0 s; while both count as up, 1
  ms).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from bastide.products.context import HostContext
from bastide.products.haproxy.pages import render_pages
from bastide.products.haproxy.servers import (
    CHECK_AGAIN_MS,
    CHECK_AGENT,
    CHECK_PATH,
    CHECK_S,
    CHECK_WITHIN_S,
    CHECKS_TO_FALL,
    FOLDER,
    Server,
    derive_servers,
)
from bastide.spec.values import IPAddress
from bastide.topology.flows import LOCAL_HAPROXY_METRICS

LOG_FOLDER = "/var/log/bastide-haproxy"
TRACK_FOLDER = "/run/bastide-vrrp"
REACH_SOCKET = "/run/haproxy/reach.sock"
"""Says 200 while a web server is there, 503 while none is: keepalived's host asks (products/keepalived/pass_on.sh)."""
ONCE_SOCKET = "abns@bastide-once"

HARD_STOP_S = 60.0
TUNNEL_S = 3600.0
DEAD_PEER_S = 2
BUFFER_BYTES = 16384
REWRITE_BYTES = 1024
LARGEST_BUFFER_BYTES = 65536
LOG_KEEP_BYTES = 256 << 20
FRONTENDS = ("http", "https")
_FIRST_DESCRIPTOR = 100
"""Beyond what systemd hands over."""
ROUTE_APP = "app"
STATS_SOCKET = "/run/haproxy/stats.sock"
ADMIN_SOCKET = "/run/haproxy/admin.sock"
"""Root's; apply drains servers over it."""
BACKEND = "web"
"""HAProxy's name for the web servers; each server there is named as its host."""

STRIPPED_HEADERS = (
    "Forwarded",
    "X-Real-IP",
    "X-Request-ID",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "Proxy",
    "X-Original-URL",
    "X-Rewrite-URL",
)
STRIPPED_PREFIXES = ("X-Forwarded-", "X-Bastide-")
"""Headers that applications believe about the client; nobody outside may set them."""

REQUEST_FIELDS: Mapping[str, str] = {
    "kind": "R",
    "ended_ms": "%[date(0,ms)]",
    "status": "%ST",
    "method": "%HM",
    "path": "%HPO",
    "total_ms": "%Ta",
    "queue_ms": "%Tw",
    "connect_ms": "%Tc",
    "response_ms": "%Tr",
    "bytes_sent": "%B",
    "bytes_received": "%U",
    "server": "%[var(txn.server)]",
    "termination": "%ts",
    "retries": "%rc",
    "request_id": "%ID",
    "client": "%ci",
    "frontend": "FRONTEND",
    "route": "%[var(txn.route)]",
}
"""Fields of a line of the access log, in order; the agent counts by these names.

`server` is `-` where HAProxy answered by itself; the path is without its query, which may hold secrets; times are
-1 where that point was never reached; `frontend` is `http` or `https`, whichever the lane; `route` is one of
`ROUTE_APP` and the static prefixes, `-` before it is known.
"""
FAILED_CONNECTION_FIELDS: Mapping[str, str] = {
    "kind": "E",
    "ended_ms": "%[date(0,ms)]",
    "client": "%ci",
    "frontend": "FRONTEND",
    "reason": "%[fc_err_str]",
}
"""Fields of the line of a connection that never became a request, such as a failed handshake."""

ECDHE_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CURVES = ("X25519", "prime256v1", "secp384r1")
"""Mozilla's intermediate level, version 6.0."""


class PageTooLarge(ValueError):
    """A maintenance page that does not fit into HAProxy's largest buffer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one source may do; durations as HAProxy writes them."""

    requests: int
    connections: int
    handshakes: int
    window: str
    table_expire: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """As HAProxy writes them."""

    connect: str
    client: str
    server: str
    request: str
    keepalive: str
    tunnel: str
    hard_stop: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippets:
    """The user's own lines, ready to stand at the end of each section."""

    global_: tuple[str, ...]
    defaults: tuple[str, ...]
    frontend: tuple[str, ...]
    backend: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """What one thread has for itself, so that no two ever wait for each other to log."""

    thread: int
    """From 1."""

    @property
    def suffix(self) -> str:
        """Of its frontends' names; the first has none, and is what a small edge has alone."""
        return "" if self.thread == 1 else f"-{self.thread}"

    @property
    def descriptor(self) -> int:
        """Where it logs; the unit opens these."""
        return 1 if self.thread == 1 else _FIRST_DESCRIPTOR + self.thread

    @property
    def log(self) -> str:
        """As HAProxy writes it."""
        return "stdout" if self.thread == 1 else f"fd@{self.descriptor}"


@dataclass(frozen=True, kw_only=True, slots=True)
class HaproxyView:
    """Everything the templates write."""

    project: str
    folder: str
    log_folder: str
    log_keep_bytes: int
    virtual_ip: IPAddress | None
    """The address that another balancer takes over; None where there is none."""
    track_folder: str | None
    """Where keepalived reads whether HAProxy serves; None without a virtual address."""
    reach_socket: str | None
    """Where it asks whether any web server is reached; None as well."""
    domains: tuple[str, ...]
    http_port: int
    https_port: int
    redirect_port: str
    """What follows the host in the redirect: nothing for 443."""
    hsts_s: int
    maintenance: bool
    max_connections: int
    open_files: int
    lanes: tuple[Lane, ...]
    buffer_bytes: int
    rewrite_bytes: int
    dead_peer_s: int
    check_path: str
    check_agent: str
    check_s: int
    check_again_ms: int
    checks_to_fall: int
    check_within_s: int
    limits: Limits
    timeouts: Timeouts
    stripped_headers: tuple[str, ...]
    stripped_prefixes: tuple[str, ...]
    request_lines: Mapping[str, str]
    """By frontend."""
    failed_connection_lines: Mapping[str, str]
    ciphers: str
    suites: str
    curves: str
    once_socket: str
    stats_socket: str
    admin_socket: str
    routes: Mapping[str, str]
    """URL prefixes of static files, longest first: what each request is counted under, instead of the application; and
    what decoded paths begin with, as one word of the configuration."""
    mutual_tls: bool
    metrics: str | None
    """Loopback endpoint of its own figures; None where nobody gathers them."""
    servers: tuple[Server, ...]
    pages: Mapping[int, bytes]
    """Whole answers by status."""
    snippets: Snippets


def derive_view(context: HostContext) -> HaproxyView:
    """HAProxy on that host. Raises PageTooLarge."""
    spec, topology = context.spec, context.topology
    edge, https_port = spec.balancer, _port(context, "internet-https")
    pages = render_pages(
        maintenance_page=context.materials.texts.get("balancer.maintenance_page"),
        retry_after_s=max(1, math.ceil(edge.rate_limit.window)),
    )
    return HaproxyView(
        project=spec.name,
        folder=FOLDER,
        log_folder=LOG_FOLDER,
        log_keep_bytes=LOG_KEEP_BYTES,
        virtual_ip=topology.virtual_ip if topology.has_flow("balancer-vrrp") else None,
        track_folder=TRACK_FOLDER if topology.has_flow("balancer-vrrp") else None,
        reach_socket=REACH_SOCKET if topology.has_flow("balancer-vrrp") else None,
        domains=topology.domains,
        http_port=_port(context, "internet-http"),
        https_port=https_port,
        redirect_port="" if https_port == 443 else f":{https_port}",
        hsts_s=int(spec.tls.hsts),
        maintenance=edge.maintenance,
        max_connections=edge.max_connections,
        # Two descriptors a connection, and room for listeners, checks, sockets and idle pools of old workers.
        open_files=2 * edge.max_connections + 4096,
        lanes=tuple(Lane(thread=number) for number in range(1, edge.threads + 1)),
        buffer_bytes=_buffer_bytes(max(map(len, pages.values()))),
        rewrite_bytes=REWRITE_BYTES,
        dead_peer_s=DEAD_PEER_S,
        check_path=CHECK_PATH,
        check_agent=CHECK_AGENT,
        check_s=CHECK_S,
        check_again_ms=CHECK_AGAIN_MS,
        checks_to_fall=CHECKS_TO_FALL,
        check_within_s=CHECK_WITHIN_S,
        limits=Limits(
            requests=edge.rate_limit.requests,
            connections=edge.rate_limit.connections,
            handshakes=edge.rate_limit.handshakes,
            window=_duration(edge.rate_limit.window),
            table_expire=_duration(2 * edge.rate_limit.window),
        ),
        timeouts=Timeouts(
            connect=_duration(edge.timeouts.connect),
            client=_duration(edge.timeouts.client),
            server=_duration(edge.timeouts.server),
            request=_duration(edge.timeouts.request),
            keepalive=_duration(edge.timeouts.keepalive),
            tunnel=_duration(TUNNEL_S),
            hard_stop=_duration(HARD_STOP_S),
        ),
        stripped_headers=STRIPPED_HEADERS,
        stripped_prefixes=STRIPPED_PREFIXES,
        request_lines={name: _log_line(REQUEST_FIELDS, name) for name in FRONTENDS},
        failed_connection_lines={name: _log_line(FAILED_CONNECTION_FIELDS, name) for name in FRONTENDS},
        ciphers=":".join(ECDHE_CIPHERS),
        suites=":".join(TLS13_SUITES),
        curves=":".join(CURVES),
        once_socket=ONCE_SOCKET,
        stats_socket=STATS_SOCKET,
        admin_socket=ADMIN_SOCKET,
        routes={route: _as_word(unquote(route)) for route in derive_routes(context)},
        mutual_tls=topology.has_flow("balancer-web") and topology.flow("balancer-web").encryption == "mtls",
        metrics=f"127.0.0.1:{LOCAL_HAPROXY_METRICS}" if context.runs("vmagent") else None,
        servers=tuple(derive_servers(topology)),
        pages=pages,
        snippets=Snippets(
            global_=_lines(edge.snippets.global_),
            defaults=_lines(edge.snippets.defaults),
            frontend=_lines(edge.snippets.frontend),
            backend=_lines(edge.snippets.backend),
        ),
    )


def _as_word(text: str) -> str:
    """One word of a configuration file, whatever characters it has."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "/._~-") else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def derive_routes(context: HostContext) -> tuple[str, ...]:
    """Prefixes as they stand in a normalised path, longest first."""
    prefixes = {quote(re.sub("/+", "/", f"/{prefix}/"), safe="/") for prefix in context.spec.web.static}
    return tuple(sorted(prefixes - {"/"}, key=lambda prefix: (-len(prefix), prefix)))


def _port(context: HostContext, flow: str) -> int:
    port = context.topology.flow(flow).port
    assert port is not None, f"flow {flow} has a port"
    return port


def _log_line(fields: Mapping[str, str], frontend: str) -> str:
    """Tab-separated; HAProxy itself reads the escape."""
    return r"\t".join({**fields, "frontend": frontend}.values())


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _lines(snippet: str) -> tuple[str, ...]:
    """Line by line, so that the place of a line that HAProxy refuses is known in the spec too."""
    return tuple(f"    {line.strip()}".rstrip() for line in snippet.splitlines()) if snippet.strip() else ()


def _buffer_bytes(largest_page_bytes: int) -> int:
    """An answer of HAProxy's own must fit into one buffer beside the room kept for rewriting."""
    size = BUFFER_BYTES
    while size - 2 * REWRITE_BYTES < largest_page_bytes:
        size *= 2
    if size > LARGEST_BUFFER_BYTES:
        raise PageTooLarge(
            f"the maintenance page makes an answer of {largest_page_bytes} bytes; "
            f"HAProxy can hold {LARGEST_BUFFER_BYTES - 2 * REWRITE_BYTES}: leave pictures out of it"
        )
    return size
