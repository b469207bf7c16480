"""What the two request logs mean: nginx's and the edge's.

In: the columns by name, as the compiler that wrote the log's format says them, and the closed sets of labels.
Out: layouts for `counting`, and the keys that exist before any request.

Keys: `requests  route method status` (nginx), `requests  frontend server route method status termination` (edge),
`duration  route bucket`, `duration_ms  route`, the same for `upstream`, `bytes  route`, `retries`,
`failed  frontend reason`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.agent.counting import (
    METHODS,
    OTHER,
    Additions,
    Layout,
    bucket_key,
    duration_keys,
    one_of,
    status_of,
)
from bastide.agent.settings import Log

_METHODS = frozenset(METHODS)
_USUAL_METHODS = ("GET", "HEAD", "POST")
_USUAL_STATUSES = (
    "200", "201", "204", "206", "301", "302", "303", "304", "400", "401", "403", "404", "405", "408", "413", "429",
    "499", "500", "502", "503", "504",
)  # fmt: skip
_TERMINATION = frozenset("-CcDIiKLPRSsTtUQHXN")
_MAX_REASON = 60


def derive_layouts(log: Log) -> tuple[Layout, ...]:
    """How the lines of that log are read."""
    return _edge(log) if log.format == "haproxy" else _nginx(log)


def derive_known(log: Log) -> Iterator[str]:
    """Series that exist from the start: a counter that is first seen at 521 has lost 521."""
    for route in log.routes:
        yield f"bytes\t{route}"
        yield from duration_keys("duration", route)
        yield from duration_keys("upstream", route)
    if log.format == "haproxy":
        yield "retries"
    for route in log.routes:
        for method in _USUAL_METHODS:
            for status in _USUAL_STATUSES:
                if log.format == "haproxy":
                    for server in log.servers:
                        yield f"requests\t{log.frontends[-1]}\t{server}\t{route}\t{method}\t{status}\t--"
                else:
                    yield f"requests\t{route}\t{method}\t{status}"


def _nginx(log: Log) -> tuple[Layout, ...]:
    routes = frozenset(log.routes)

    def translate(values: tuple[bytes, ...], count: int, size: int) -> Additions:
        status, method, route, request_s, upstream_s = values
        name = one_of(route, routes, OTHER)
        yield f"requests\t{name}\t{one_of(method, _METHODS, OTHER)}\t{status_of(status)}", count
        yield f"bytes\t{_route(route, routes)}", size
        yield from _times("duration", _route(route, routes), _seconds_ms(request_s), count)
        yield from _times("upstream", _route(route, routes), _upstream_ms(upstream_s), count)

    return (
        Layout(
            columns=log.columns,
            counted=("status", "method", "route", "request_s", "upstream_s"),
            size="bytes_sent",
            translate=translate,
        ),
    )


def _edge(log: Log) -> tuple[Layout, ...]:
    routes, servers, frontends = frozenset(log.routes), frozenset(log.servers), frozenset(log.frontends)

    def translate(values: tuple[bytes, ...], count: int, size: int) -> Additions:
        frontend, server, route, method, status, termination, retries, total_ms, response_ms = values
        end = termination.decode("ascii", "replace")
        if len(end) != 2 or not _TERMINATION.issuperset(end):
            raise ValueError("not a termination state")
        name = _route(route, routes)
        labels = (
            one_of(frontend, frontends, OTHER),
            "-" if server == b"-" else one_of(server, servers, OTHER),
            name,
            one_of(method, _METHODS, OTHER),
            status_of(status),
            end,
        )
        yield "\t".join(("requests", *labels)), count
        # `+` says that the last try went to another server.
        yield "retries", int(retries.removeprefix(b"+")) * count
        yield f"bytes\t{name}", size
        yield from _times("duration", name, _whole_ms(total_ms), count)
        yield from _times("upstream", name, _whole_ms(response_ms), count)

    def failed(values: tuple[bytes, ...], count: int, size: int) -> Additions:
        frontend, reason = values
        text = reason.decode("ascii", "replace")[:_MAX_REASON]
        yield f"failed\t{one_of(frontend, frontends, OTHER)}\t{text}", count

    return (
        Layout(
            columns=log.columns,
            first=b"R",
            counted=(
                "frontend", "server", "route", "method", "status", "termination", "retries", "total_ms", "response_ms",
            ),
            size="bytes_sent",
            translate=translate,
        ),
        Layout(
            columns=log.failed_columns,
            first=b"E",
            counted=("frontend", "reason"),
            size=None,
            translate=failed,
        ),
    )  # fmt: skip


def _times(family: str, route: str, duration_ms: int | None, count: int) -> Additions:
    if duration_ms is not None:
        yield bucket_key(family, route, duration_ms), count
        yield f"{family}_ms\t{route}", duration_ms * count


def _route(value: bytes, routes: frozenset[str]) -> str:
    return "-" if value == b"-" else one_of(value, routes, OTHER)


def _seconds_ms(value: bytes) -> int:
    """`0.042`, as nginx writes seconds."""
    whole, dot, thousandths = value.partition(b".")
    if not dot or len(thousandths) != 3 or len(whole) > 9 or not (whole + thousandths).isdigit():
        raise ValueError("not seconds")
    return int(whole) * 1000 + int(thousandths)


def _upstream_ms(value: bytes) -> int | None:
    """`0.001, 0.002 : 0.003`: one for each server that was asked; `-` for each that was not reached."""
    if value == b"-":
        return None
    parts = value.replace(b" : ", b", ").split(b", ")
    return sum(_seconds_ms(part) for part in parts if part != b"-")


def _whole_ms(value: bytes) -> int | None:
    """HAProxy's milliseconds; negative where that point was not reached, `+` where the log was written before the end."""
    number = int(value)
    if len(value) > 12:
        raise ValueError("not milliseconds")
    return number if number >= 0 else None
