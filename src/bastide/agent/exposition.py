"""Counters as Prometheus reads them and as frames carry them.

In: committed counters of each log (`ledger`), and names. Out: lines of the text format; the frame's counters.
Holds: both are the same numbers. A series that was not known in advance shows 0 for `BIRTH_S` before it shows its
value, so that a scrape sees it at 0 first: what Prometheus first sees at 521 has lost 521.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from bastide.agent.counting import BOUNDS_MS, status_class
from bastide.agent.settings import Log

BIRTH_S = 20.0
"""Longer than vmagent's interval between scrapes."""
_BOUNDS = (*map(str, BOUNDS_MS), "inf")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def format_series(name: str, labels: Mapping[str, str], value: float) -> str:
    """One line of the text format."""
    inner = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())
    number = int(value) if float(value).is_integer() else value
    return f"{name}{{{inner}}} {number}\n" if inner else f"{name} {number}\n"


class Births:
    """Which series are too young to show their value."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._known: dict[str, set[str]] = {}
        self._young: dict[tuple[str, str], float] = {}

    def visible(self, group: str, counters: Mapping[str, int]) -> Mapping[str, int]:
        """The counters, newborn ones at 0. Those of the first call are old: they come from disk or are 0."""
        now = self._clock()
        known = self._known.setdefault(group, set(counters))
        for key in counters.keys() - known:
            known.add(key)
            self._young[group, key] = now
        self._young = {k: born for k, born in self._young.items() if now - born < BIRTH_S}
        if not self._young:
            return counters
        return {key: 0 if (group, key) in self._young else value for key, value in counters.items()}


def format_log(log: Log, host: str, counters: Mapping[str, int]) -> Iterator[str]:
    """Metrics of one log under the ecosystem's names."""
    prefix = "haproxy" if log.format == "haproxy" else "nginx"
    own: dict[tuple[str, str], int] = {}
    for key, value in sorted(counters.items()):
        family, *labels = key.split("\t")
        if family == "requests":
            yield format_series(f"{prefix}_http_requests_total", _request_labels(log, host, labels), value)
            if prefix == "haproxy" and labels[1] == "-":
                own[labels[0], labels[4]] = own.get((labels[0], labels[4]), 0) + value
        elif family == "bytes":
            base = _base(log, host, labels[0])
            yield format_series(f"{prefix}_http_response_bytes_total", base, value)
        elif family == "failed":
            named = {"frontend": labels[0], "reason": labels[1]}
            yield format_series("haproxy_failed_connections_total", named, value)
    for (frontend, status), value in sorted(own.items()):
        yield format_series("haproxy_own_responses_total", {"frontend": frontend, "status": status}, value)
    if "retries" in counters:
        yield format_series("haproxy_retries_total", {}, counters["retries"])
    for family, name in (("duration", "request"), ("upstream", "upstream")):
        yield from _format_histogram(f"{prefix}_http_{name}_duration_seconds", family, log, host, counters)


def _format_histogram(name: str, family: str, log: Log, host: str, counters: Mapping[str, int]) -> Iterator[str]:
    for route, buckets in cumulative_buckets(family, counters).items():
        base = _base(log, host, route)
        for bound, value in zip(_BOUNDS, buckets, strict=True):
            limit = "+Inf" if bound == "inf" else f"{int(bound) / 1000:g}"
            yield format_series(f"{name}_bucket", {**base, "le": limit}, value)
        yield format_series(f"{name}_sum", base, counters.get(f"{family}_ms\t{route}", 0) / 1000)
        yield format_series(f"{name}_count", base, buckets[-1])


def cumulative_buckets(family: str, counters: Mapping[str, int]) -> dict[str, list[int]]:
    """By route: how many took no longer than each bound."""
    routes = sorted({key.split("\t")[1] for key in counters if key.startswith(f"{family}\t")})
    found: dict[str, list[int]] = {}
    for route in routes:
        total, buckets = 0, []
        for bound in _BOUNDS:
            total += counters.get(f"{family}\t{route}\t{bound}", 0)
            buckets.append(total)
        found[route] = buckets
    return found


def frame_counters(log: Log, counters: Mapping[str, int]) -> dict[str, int]:
    """The frame's counters of one log."""
    found: dict[str, int] = {}

    def add(name: str, value: int) -> None:
        found[name] = found.get(name, 0) + value

    for key, value in counters.items():
        family, *labels = key.split("\t")
        if family != "requests":
            continue
        if log.format == "haproxy":
            _, server, route, _, status, _ = labels
            if server == "-":
                add(f"edge_own|{status_class(status)}", value)
        else:
            route, _, status = labels
        add(f"requests|{log.service}|{route}|{status_class(status)}", value)
    for route, buckets in cumulative_buckets("duration", counters).items():
        for bound, value in zip(_BOUNDS, buckets, strict=True):
            found[f"latency|{log.service}|{route}|{bound}"] = value
    if log.format == "haproxy":
        found["edge_retries"] = counters.get("retries", 0)
    return found


def _base(log: Log, host: str, route: str) -> dict[str, str]:
    if log.format == "haproxy":
        return {"frontend": log.frontends[-1], "route": route}
    return {"service": log.service, "server": host, "route": route}


def _request_labels(log: Log, host: str, labels: list[str]) -> dict[str, str]:
    if log.format == "haproxy":
        frontend, server, route, method, status, termination = labels
        backend = "-" if server == "-" else "web"
        return {
            "frontend": frontend, "backend": backend, "server": server, "route": route, "method": method,
            "status": status, "termination": termination,
        }  # fmt: skip
    route, method, status = labels
    return {**_base(log, host, route), "method": method, "status": status}
