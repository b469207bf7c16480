"""OpenTelemetry's metrics and logs, in its JSON form.

In: the body of POST /v1/metrics or /v1/logs, parsed. Out: pushed metrics; log records without a number.
Read are gauges, sums (cumulative ones replace, deltas add) and explicit histograms (cumulative). What else there is,
is refused and counted in the answer, as the protocol asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bastide.agent.events import clean
from bastide.agent.pushed import Pushed, Refused

_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")


def read_metrics(body: Mapping[str, Any], pushed: Pushed) -> list[str]:
    """Take every data point; the reasons of those that were refused. Raises Refused, TooManySeries."""
    wrong: list[str] = []
    for resource, metric in _inner(body, "resourceMetrics", "scopeMetrics", "metrics"):
        try:
            _read_metric(resource, metric, pushed)
        except (Refused, KeyError, TypeError, ValueError, AttributeError) as error:
            wrong.append(f"{metric.get('name', '?')!r:.60}: {error}" if isinstance(metric, dict) else str(error))
    return wrong


def _read_metric(resource: dict[str, str], metric: dict[str, Any], pushed: Pushed) -> None:
    name = metric["name"]
    if "gauge" in metric:
        for point in metric["gauge"]["dataPoints"]:
            pushed.set(name, resource | _attributes(point), _value(point), "gauge")
    elif "sum" in metric:
        kind = metric["sum"]
        put = pushed.add if kind.get("aggregationTemporality") in _DELTA else pushed.set
        for point in kind["dataPoints"]:
            put(
                name,
                resource | _attributes(point),
                _value(point),
                "counter" if kind.get("isMonotonic") else "gauge",
            )
    elif "histogram" in metric:
        if metric["histogram"].get("aggregationTemporality") in _DELTA:
            raise Refused("histograms are taken in their cumulative form only")
        for point in metric["histogram"]["dataPoints"]:
            _read_histogram(name, resource | _attributes(point), point, pushed)
    else:
        raise Refused("neither a gauge, nor a sum, nor a histogram")


def _read_histogram(name: str, labels: dict[str, str], point: dict[str, Any], pushed: Pushed) -> None:
    counts = [int(count) for count in point.get("bucketCounts", ())]
    bounds = [*(f"{float(bound):g}" for bound in point.get("explicitBounds", ())), "+Inf"]
    if len(counts) not in (0, len(bounds)) or len(counts) > 100:
        raise Refused("bucketCounts and explicitBounds do not belong together")
    total = 0
    for bound, count in zip(bounds, counts, strict=False):
        total += count
        pushed.set(f"{name}_bucket", {**labels, "le": bound}, total, "counter")
    pushed.set(f"{name}_count", labels, int(point["count"]), "counter")
    pushed.set(f"{name}_sum", labels, float(point.get("sum", 0)), "gauge")


def read_logs(body: Mapping[str, Any], now_s: float) -> Iterator[dict[str, Any]]:
    """Log records. Raises Refused."""
    for resource, record in _inner(body, "resourceLogs", "scopeLogs", "logRecords"):
        if not isinstance(record, dict):
            raise Refused("a log record is an object")
        severity = record.get("severityNumber", 9)
        taken = record.get("timeUnixNano", 0)
        try:
            t, priority = int(taken) / 1e9 or now_s, _priority(int(severity))
        except (TypeError, ValueError):
            raise Refused("a log record's time and severity are numbers") from None
        yield {
            "t": t,
            "kind": "log",
            "unit": clean(resource.get("service", "otlp"))[:200],
            "priority": priority,
            "message": clean(str(_plain(record.get("body")))),
            "fields": {key[:100]: clean(text)[:1000] for key, text in list(_attributes(record).items())[:32]},
        }


def _inner(body: Any, outer: str, middle: str, inner: str) -> Iterator[tuple[dict[str, str], Any]]:
    try:
        for resource in body.get(outer) or ():
            named = _attributes(resource.get("resource") or {})
            service = {"service": named["service.name"]} if "service.name" in named else {}
            for scope in resource.get(middle) or ():
                for item in scope.get(inner) or ():
                    yield service, item
    except (AttributeError, TypeError, KeyError):
        raise Refused(f"not OTLP: {outer} holds objects with {middle}, and these {inner}") from None


def _attributes(holder: Mapping[str, Any]) -> dict[str, str]:
    return {str(item["key"]): str(_plain(item.get("value"))) for item in holder.get("attributes") or ()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return next(iter(value.values()), "")
    return "" if value is None else value


def _value(point: Mapping[str, Any]) -> float:
    return float(point["asDouble"]) if "asDouble" in point else int(point["asInt"])


def _priority(severity: int) -> int:
    """TRACE and DEBUG below 9, INFO, WARN from 13, ERROR from 17, FATAL from 21."""
    return 7 if severity < 9 else 6 if severity < 13 else 4 if severity < 17 else 3 if severity < 21 else 2
