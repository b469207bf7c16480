"""OpenTelemetry's JSON: what fits is kept, the rest is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from bastide.hub.otlp import parse_otlp_logs, parse_otlp_metrics
from bastide.hub.push import MAX_SERIES, Pushed, Sample
from bastide.hub.refused import Refused

RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "worker"}}]}


def metrics(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"metrics": list(listed)}]}]}


def test_gauges_sums_and_histograms() -> None:
    point = {"attributes": [{"key": "queue", "value": {"stringValue": "mail"}}], "asInt": "12"}
    histogram = {"count": "3", "sum": 0.7, "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}
    samples, refused, _ = parse_otlp_metrics(
        metrics(
            {"name": "queue.length", "gauge": {"dataPoints": [point]}},
            {
                "name": "jobs",
                "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [{"asDouble": 5}]},
            },
            {"name": "took", "histogram": {"aggregationTemporality": 2, "dataPoints": [histogram]}},
        )
    )
    assert refused == 0
    shown = {(s.name, dict(s.labels).get("le", "")): s.value for s in samples}
    assert shown == {
        ("queue_length", ""): 12.0, ("jobs", ""): 5.0, ("took_bucket", "0.5"): 1.0, ("took_bucket", "+Inf"): 3.0,
        ("took_count", ""): 3.0, ("took_sum", ""): 0.7,
    }  # fmt: skip
    assert dict(samples[0].labels) == {"service_name": "worker", "queue": "mail"}


def test_delta_values_are_refused_and_the_others_kept() -> None:
    delta = {"name": "d", "sum": {"aggregationTemporality": 1, "dataPoints": [{"asInt": 1}]}}
    gauge = {"name": "g", "gauge": {"dataPoints": [{"asInt": 1}]}}
    samples, refused, why = parse_otlp_metrics(metrics(delta, gauge))
    assert ([s.name for s in samples], refused) == (["g"], 1)
    assert "cumulative" in why


@pytest.mark.parametrize("plain", [[], {"resourceMetrics": 1}, {"resourceMetrics": [1]}])
def test_what_is_no_otlp_is_refused(plain: Any) -> None:
    with pytest.raises(Refused):
        parse_otlp_metrics(plain)


def test_logs() -> None:
    entry = {"timeUnixNano": "1700000000000000000", "severityNumber": 17, "body": {"stringValue": "it broke"}}
    plain = {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"logRecords": [entry, {"body": 1}]}]}]}
    records, refused = parse_otlp_logs(plain, owner="ci", now=5.0)
    assert refused == 1
    assert (records[0].host, records[0].unit, records[0].priority, records[0].t) == ("_push-ci", "worker", 3, 1.7e9)


def test_series_of_one_token_are_bounded_and_grow_old() -> None:
    pushed = Pushed({"a": "x", "b": "y"})
    many = [Sample(name="n", labels=(("i", str(n)),), value=1.0, type="gauge") for n in range(MAX_SERIES)]
    one = [Sample(name="m", labels=(), value=1.0, type="gauge")]
    pushed.take("a", many, 0.0)
    with pytest.raises(Refused):
        pushed.take("a", one, 1.0)
    pushed.take("b", one, 1.0)
    pushed.take("a", many[:5], 250.0)
    assert len(list(pushed.current(299.0))) == MAX_SERIES + 1
    pushed.take("a", one, 301.0)
    assert len(list(pushed.current(301.0))) == 6 + 1
