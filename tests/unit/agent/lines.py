"""Log lines and logs for tests, as nginx and HAProxy write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bastide.agent.settings import Log

NGINX = (
    "ended_s", "status", "method", "route", "request_s", "upstream_s", "bytes_sent", "client", "request_id",
    "uri", "connection_requests",
)  # fmt: skip
EDGE = (
    "kind", "ended_ms", "status", "method", "path", "total_ms", "queue_ms", "connect_ms", "response_ms",
    "bytes_sent", "bytes_received", "server", "termination", "retries", "request_id", "client", "frontend", "route",
)  # fmt: skip
EDGE_FAILED = ("kind", "ended_ms", "client", "frontend", "reason")


def web_log(path: Path, routes: tuple[str, ...] = ("app", "/static/", "refused")) -> Log:
    return Log(service="web", path=str(path), format="nginx", columns=NGINX, routes=routes)


def edge_log(path: Path) -> Log:
    return Log(
        service="edge",
        path=str(path),
        format="haproxy",
        columns=EDGE,
        failed_columns=EDGE_FAILED,
        routes=("app", "/static/"),
        servers=("web1", "web2"),
        frontends=("http", "https"),
    )


def nginx_line(number: int, **changes: object) -> bytes:
    """One line; every one is different."""
    values: dict[str, object] = {
        "ended_s": f"{1763640000 + number / 1000:.3f}", "status": 200, "method": "GET", "route": "app",
        "request_s": f"{number % 40 / 1000:.3f}", "upstream_s": f"{number % 39 / 1000:.3f}",
        "bytes_sent": 500 + number % 7, "client": "198.18.0.9", "request_id": f"{number:032x}",
        "uri": f"/products/{number}", "connection_requests": number % 100 + 1,
    }  # fmt: skip
    return _line(NGINX, values | changes)


def edge_line(number: int, **changes: object) -> bytes:
    """One line of a request."""
    values: dict[str, object] = {
        "kind": "R", "ended_ms": 1763640000000 + number, "status": 200, "method": "GET", "path": f"/products/{number}",
        "total_ms": number % 40, "queue_ms": 0, "connect_ms": 0, "response_ms": number % 39, "bytes_sent": 700,
        "bytes_received": 90, "server": f"web{number % 2 + 1}", "termination": "--", "retries": 0,
        "request_id": f"{number:032x}", "client": "198.18.0.9", "frontend": "https", "route": "app",
    }  # fmt: skip
    return _line(EDGE, values | changes)


def failed_line(number: int) -> bytes:
    """One line of a connection that never became a request."""
    return f"E\t{1763640000000 + number}\t198.18.0.9\thttps\tSSL handshake failure\n".encode()


def _line(columns: tuple[str, ...], values: Mapping[str, object]) -> bytes:
    assert values.keys() == set(columns)
    return "\t".join(str(values[name]) for name in columns).encode() + b"\n"


def total(counters: Mapping[str, int], family: str) -> int:
    """Sum over the series of a family."""
    return sum(count for key, count in counters.items() if key.split("\t")[0] == family)
