"""OpenTelemetry's OTLP/HTTP with JSON, as far as it fits what we keep.

In: ExportMetricsServiceRequest, ExportLogsServiceRequest. Out: samples and records, and how many were refused.
Holds: gauges, cumulative sums and cumulative histograms; delta values cannot be kept exactly without knowing what
was lost, and are refused with that reason (opentelemetry.io/docs/specs/otlp, partial success).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bastide.hub.push import MAX_SAMPLES, RESERVED, Sample, make_sample, pusher
from bastide.hub.records import Record, make_record
from bastide.hub.refused import Refused

CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")


def parse_otlp_metrics(plain: Any) -> tuple[tuple[Sample, ...], int, str]:
    """Samples, how many points were refused, and why the last one was."""
    samples: list[Sample] = []
    refused, why = 0, ""
    for resource in _list(plain, "resourceMetrics"):
        common = _attributes(resource.get("resource", {}), only=("service.name", "service.instance.id"))
        for scope in _list(resource, "scopeMetrics"):
            for metric in _list(scope, "metrics"):
                try:
                    samples.extend(_metric(metric, common))
                except Refused as error:
                    refused, why = refused + 1, error.message
                if len(samples) > MAX_SAMPLES:
                    raise Refused(413, "metrics", f"at most {MAX_SAMPLES} samples a request")
    return tuple(samples), refused, why


def parse_otlp_logs(plain: Any, *, owner: str, now: float) -> tuple[tuple[Record, ...], int]:
    """Records, not numbered yet, and how many were refused."""
    records: list[Record] = []
    refused = 0
    for resource in _list(plain, "resourceLogs"):
        service = _attributes(resource.get("resource", {}), only=("service.name",)).get("service_name", "otlp")
        for scope in _list(resource, "scopeLogs"):
            for entry in _list(scope, "logRecords"):
                record = _log(entry, service, owner, now)
                if record is None:
                    refused += 1
                else:
                    records.append(record)
    return tuple(records), refused


def _metric(metric: Mapping[str, Any], common: dict[str, str]) -> Iterator[Sample]:
    name = _UNFIT.sub("_", str(metric.get("name", "")))
    if "gauge" in metric:
        for point in _list(metric["gauge"], "dataPoints"):
            yield make_sample(name, name, _value(point), common | _attributes(point), "gauge")
    elif "sum" in metric:
        _cumulative(name, metric["sum"])
        kind = "counter" if metric["sum"].get("isMonotonic") else "gauge"
        for point in _list(metric["sum"], "dataPoints"):
            yield make_sample(name, name, _value(point), common | _attributes(point), kind)
    elif "histogram" in metric:
        _cumulative(name, metric["histogram"])
        for point in _list(metric["histogram"], "dataPoints"):
            yield from _histogram(name, point, common | _attributes(point))
    else:
        raise Refused(400, "otlp", f"{name}: only gauge, sum and histogram are taken")


def _histogram(name: str, point: Mapping[str, Any], labels: dict[str, str]) -> Iterator[Sample]:
    counts, bounds = point.get("bucketCounts", []), point.get("explicitBounds", [])
    if not isinstance(counts, list) or not isinstance(bounds, list) or len(counts) != len(bounds) + 1:
        raise Refused(400, "otlp", f"{name}: a histogram has one bucket more than bounds")
    running = 0.0
    for bound, count in zip([*bounds, "+Inf"], counts, strict=True):
        running += _number(count)
        le = bound if bound == "+Inf" else f"{_number(bound):g}"
        yield make_sample(name, f"{name}_bucket", running, {**labels, "le": le}, "counter")
    yield make_sample(name, f"{name}_count", _number(point.get("count", 0)), labels, "counter")
    yield make_sample(name, f"{name}_sum", _number(point.get("sum", 0)), labels, "counter")


def _log(entry: Mapping[str, Any], service: str, owner: str, now: float) -> Record | None:
    try:
        t = _number(entry.get("timeUnixNano") or entry.get("observedTimeUnixNano") or 0) / 1e9 or now
        severity = int(_number(entry.get("severityNumber", 9)))
    except Refused:
        return None
    body = entry.get("body", {})
    message = body.get("stringValue") if isinstance(body, Mapping) else None
    return make_record(
        {
            "t": t,
            "kind": "log",
            "unit": service,
            # 1–4 trace, 5–8 debug, 9–12 info, 13–16 warn, 17–20 error, 21–24 fatal.
            "priority": 7
            if severity < 9
            else 6
            if severity < 13
            else 4
            if severity < 17
            else 3
            if severity < 21
            else 2,
            "message": message,
            "fields": _attributes(entry),
        },
        host=pusher(owner),
        seq=0,
    )


def _cumulative(name: str, part: Any) -> None:
    if not isinstance(part, Mapping) or part.get("aggregationTemporality") not in CUMULATIVE:
        raise Refused(400, "otlp", f"{name}: delta values are not taken; set temporality to cumulative")


def _value(point: Mapping[str, Any]) -> float:
    return _number(point.get("asDouble", point.get("asInt")))


def _number(plain: Any) -> float:
    """JSON of protobuf writes 64-bit numbers as texts."""
    try:
        return float(plain)
    except (TypeError, ValueError, OverflowError):
        raise Refused(400, "otlp", "a number was expected") from None


def _attributes(of: Any, only: tuple[str, ...] = ()) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in _list(of, "attributes"):
        key, value = attribute.get("key"), attribute.get("value")
        if isinstance(key, str) and isinstance(value, Mapping) and value and (not only or key in only):
            name = _UNFIT.sub("_", key)
            found[f"otlp_{name}" if name in RESERVED else name] = str(next(iter(value.values())))[:200]
    return found


def _list(of: Any, key: str) -> list[Mapping[str, Any]]:
    listed = of.get(key, []) if isinstance(of, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
        raise Refused(400, "otlp", f"{key} is a list of objects")
    return listed
