"""Rules of the edge: what one client may do, how long it may take, what is believed of it.

In: a Subject. Out: hits.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.audit.snippets import haproxy_directives, nginx_directives
from bastide.spec.errors import Keys, dotted
from bastide.spec.values import format_duration, format_size

_LIMIT: Keys = ("balancer", "rate_limit")
_REQUESTS_A_SECOND = 1000
_HANDSHAKES_A_SECOND = 200
_SHARE = 1 / 4
_SLOWEST_HEAD_S, _SLOWEST_CLIENT_S, _LONGEST_KEPT_S = 15.0, 120.0, 120.0
_LARGEST_BODY = 1 << 30


def _timeout(subject: Subject, name: str, most_s: float, default: str, what: str) -> Iterator[Hit]:
    value = getattr(subject.spec.balancer.timeouts, name)
    if value > most_s:
        at: Keys = ("balancer", "timeouts", name)
        message = f"{what} for {format_duration(value)}"
        yield Hit(element=dotted(at), message=message, at=at, edits=(SetValue(path=at, yaml=default),))


def _no_request_limit(subject: Subject) -> Iterator[Hit]:
    limit = subject.spec.balancer.rate_limit
    if limit.requests / limit.window > _REQUESTS_A_SECOND:
        message = f"One address may send {limit.requests / limit.window:,.0f} requests a second: that is no limit"
        edits = (SetValue(path=(*_LIMIT, "requests"), yaml="1000"), SetValue(path=(*_LIMIT, "window"), yaml="10s"))
        yield Hit(element="balancer.rate_limit.requests", message=message, at=(*_LIMIT, "requests"), edits=edits)


def _one_fills_all(subject: Subject) -> Iterator[Hit]:
    held, most = subject.spec.balancer.rate_limit.connections, subject.spec.balancer.max_connections
    if held > most * _SHARE:
        at = (*_LIMIT, "connections")
        message = (
            f"One address may hold {held} of {most} connections, so that {-(-most // held)} shut everybody out"
        )
        edits = (SetValue(path=at, yaml=str(max(1, min(200, most // 8)))),)
        yield Hit(element=dotted(at), message=message, at=at, edits=edits)


def _handshakes(subject: Subject) -> Iterator[Hit]:
    limit = subject.spec.balancer.rate_limit
    if limit.handshakes / limit.window > _HANDSHAKES_A_SECOND:
        at = (*_LIMIT, "handshakes")
        message = f"One address may open {limit.handshakes / limit.window:,.0f} TLS connections a second"
        edits = (SetValue(path=at, yaml="200"), SetValue(path=(*_LIMIT, "window"), yaml="10s"))
        yield Hit(element=dotted(at), message=message, at=at, edits=edits)


def _slow_heads(subject: Subject) -> Iterator[Hit]:
    yield from _timeout(
        subject, "request", _SLOWEST_HEAD_S, "5s", "A client may take its time over a request's head"
    )


def _silent_clients(subject: Subject) -> Iterator[Hit]:
    yield from _timeout(
        subject, "client", _SLOWEST_CLIENT_S, "30s", "A client that says nothing keeps its connection"
    )


def _kept_connections(subject: Subject) -> Iterator[Hit]:
    yield from _timeout(subject, "keepalive", _LONGEST_KEPT_S, "15s", "An idle connection is kept")


def _large_bodies(subject: Subject) -> Iterator[Hit]:
    size = subject.spec.web.max_body_size
    if size > _LARGEST_BODY:
        at: Keys = ("web", "max_body_size")
        message = f"Anybody may send {format_size(size)} in one request; a few of them fill a web server's disk"
        yield Hit(element=dotted(at), message=message, at=at)


def _believes_headers(subject: Subject) -> Iterator[Hit]:
    for line in haproxy_directives(subject.spec):
        forwarded = any(name in line.text.lower() for name in ("x-forwarded-", "x-real-ip", "forwarded "))
        copied = "req.hdr" in line.text.lower() or "hdr_ip" in line.text.lower()
        if (line.starts("http-request", "set-src") and copied) or (forwarded and copied):
            yield _hit(line.text, line.at, "believes what a visitor says about itself")
    for line in nginx_directives(subject.spec):
        if line.starts("set_real_ip_from") and line.words[-1] in ("0.0.0.0/0", "::/0"):
            yield _hit(line.text, line.at, "believes what a visitor says about itself")


def _lenient_parsing(subject: Subject) -> Iterator[Hit]:
    for line in haproxy_directives(subject.spec):
        if (
            line.has("accept-invalid-http-request")
            or line.has("accept-invalid-http-response")
            or line.has("h1-accept-payload-with-any-method")
            or line.has("http-restrict-req-hdr-names", "preserve")
            or line.starts("no", "option", "http-restrict-req-hdr-names")
        ):
            yield _hit(line.text, line.at, "lets requests pass that two programs read differently")
    for line in nginx_directives(subject.spec):
        if line.starts("ignore_invalid_headers", "off") or line.starts("underscores_in_headers", "on"):
            yield _hit(line.text, line.at, "lets requests pass that two programs read differently")


def _any_origin(subject: Subject) -> Iterator[Hit]:
    for line in (*haproxy_directives(subject.spec), *nginx_directives(subject.spec)):
        if "access-control-allow-origin" in line.words and "*" in line.words:
            yield _hit(line.text, line.at, "lets every site on the web read the answers")


def _proxy_line_from_anyone(subject: Subject) -> Iterator[Hit]:
    for line in haproxy_directives(subject.spec):
        if line.has("tcp-request", "connection", "expect-proxy") and "src" not in line.words:
            yield _hit(line.text, line.at, "lets any client name the address that it comes from")


def _hit(text: str, at: Keys, what: str) -> Hit:
    return Hit(element=dotted(at), message=f"`{text}` {what}", at=at)


EDGE_RULES = (
    Rule(
        id="EDGE001",
        title="No limit on requests",
        severity="medium",
        why="One script is enough to keep every worker busy, or to try a million passwords.",
        fix="Let `balancer.rate_limit` be its default, 1000 requests in 10s for each address.",
        check=_no_request_limit,
    ),
    Rule(
        id="EDGE002",
        title="One client can hold the connections of all",
        severity="medium",
        why="Connections cost a client nothing. A handful of addresses that hold them shut everybody else out.",
        fix="Let `balancer.rate_limit.connections` be a small part of `balancer.max_connections`.",
        check=_one_fills_all,
    ),
    Rule(
        id="EDGE003",
        title="No limit on TLS handshakes",
        severity="medium",
        why="A handshake costs the balancer far more than the client: the cheapest way to keep a processor busy.",
        fix="Let `balancer.rate_limit.handshakes` be its default, 200 in 10s.",
        check=_handshakes,
    ),
    Rule(
        id="EDGE004",
        title="Slow requests are waited for",
        severity="medium",
        why="Slowloris: thousands of connections that each send a byte now and then hold every place there is.",
        fix="Let `balancer.timeouts.request` be its default, 5s.",
        check=_slow_heads,
    ),
    Rule(
        id="EDGE005",
        title="Silent clients are kept",
        severity="low",
        why="A connection that nobody uses holds memory and a place on three machines.",
        fix="Let `balancer.timeouts.client` be its default, 30s.",
        check=_silent_clients,
    ),
    Rule(
        id="EDGE006",
        title="Idle connections are kept for long",
        severity="low",
        why="Each is a place that nobody else can have.",
        fix="Let `balancer.timeouts.keepalive` be its default, 15s.",
        check=_kept_connections,
    ),
    Rule(
        id="EDGE007",
        title="Very large bodies",
        severity="medium",
        why="Web servers take a whole body before the application sees it: on their disks.",
        fix="Let `web.max_body_size` be what the application really takes.",
        check=_large_bodies,
    ),
    Rule(
        id="EDGE008",
        title="Visitors are believed about themselves",
        severity="high",
        why="Whoever may set the address it comes from is never limited, never blocked, and logged as somebody else.",
        fix="Remove the line: the balancer sets these headers from the connection.",
        check=_believes_headers,
    ),
    Rule(
        id="EDGE009",
        title="Ambiguous requests are let pass",
        severity="high",
        why=(
            "Request smuggling: what two programs read differently is one request for the first and two for the "
            "second, and the second is answered to somebody else."
        ),
        fix="Remove the line from the snippet.",
        check=_lenient_parsing,
    ),
    Rule(
        id="EDGE010",
        title="Answers that every site may read",
        severity="medium",
        why="Any page that a visitor has open can read what this site answers to that visitor.",
        fix="Name the origins that need it, in the application.",
        check=_any_origin,
    ),
    Rule(
        id="EDGE011",
        title="A PROXY line from anybody",
        severity="high",
        why="The first line of a connection then says where it comes from, and anybody can write it.",
        fix="Remove the line, or accept it from your own proxy's address only: `… if { src 192.0.2.7 }`.",
        check=_proxy_line_from_anyone,
    ),
)
