"""How fast the promise to users is being used up: errors and slow answers at the edge.

In: spec and topology. Out: ratios over six spans, and alerts by several burn rates.
Holds: two spans must agree (the long one says that it matters, the short one that it is still so), and a floor of
requests keeps three failures of a quiet night from waking anybody (the SRE workbook, chapter 5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bastide.products.rules import Alert, Group, Record, Severity
from bastide.spec.model import Spec
from bastide.topology.model import Topology

SPANS = {"5m": 300, "30m": 1800, "1h": 3600, "6h": 21600, "3d": 259200}
FLOOR = 10
"""Bad answers in the long span below which nobody is told."""
_TOTAL = "haproxy_http_requests_total"
_DURATION = "haproxy_http_request_duration_seconds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What users are promised."""

    name: str
    slo: str
    objective: float
    bad: str
    """Expression of the rate of bad answers, with `SPAN` for the span."""
    total: str
    what: str
    look: str


PROMISES = (
    Promise(
        name="Errors",
        slo="availability",
        objective=0.999,
        bad=f'sum(rate({_TOTAL}{{status=~"5.."}}[SPAN])) or (0 * sum(rate({_TOTAL}[SPAN])))',
        total=f"sum(rate({_TOTAL}[SPAN]))",
        what="{{ $value | humanizePercentage }} of requests fail; 0.1 % are allowed",
        look="which route and status first; then web, app and database of the same minutes",
    ),
    Promise(
        name="Slow",
        slo="latency",
        objective=0.99,
        bad=f'sum(rate({_DURATION}_count[SPAN])) - sum(rate({_DURATION}_bucket{{le=~"1(.0)?"}}[SPAN]))',
        total=f"sum(rate({_DURATION}_count[SPAN]))",
        what="{{ $value | humanizePercentage }} of requests take longer than a second; 1 % are allowed",
        look="p99 by route, queues at the balancers, slow queries, CPU of the app hosts",
    ),
)
BURNS: tuple[tuple[str, float, str, str, int, Severity], ...] = (
    ("Fast", 14.4, "1h", "5m", 60, "page"),
    ("Steady", 6.0, "6h", "30m", 120, "page"),
    ("Slow", 1.0, "3d", "6h", 900, "ticket"),
)


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout that has an edge."""
    if not topology.tier("balancer"):
        return ()
    return tuple(
        Group(name=f"slo-{promise.slo}", rules=(*_records(promise), *_alerts(promise)), every_s=30)
        for promise in PROMISES
    )


def _records(promise: Promise) -> Iterator[Record]:
    for span in SPANS:
        bad, total = promise.bad.replace("SPAN", span), promise.total.replace("SPAN", span)
        yield Record(name=f"edge:{promise.slo}_bad:rate{span}", expr=bad)
        yield Record(
            name=f"edge:{promise.slo}_bad:ratio_rate{span}",
            expr=f"edge:{promise.slo}_bad:rate{span} / ({total} > 0)",
        )


def _alerts(promise: Promise) -> Iterator[Alert]:
    budget = 1 - promise.objective
    for pace, burn, long, short, lasting_s, severity in BURNS:
        limit = f"{burn * budget:.6g}"
        ratio = f"edge:{promise.slo}_bad:ratio_rate"
        yield Alert(
            name=f"{promise.name}Burn{pace}",
            expr=f"({ratio}{long} > {limit}) and ({ratio}{short} > {limit})"
            f" and (edge:{promise.slo}_bad:rate{long} * {SPANS[long]} >= {FLOOR})",
            lasting_s=lasting_s,
            severity=severity,
            summary=f"{promise.what} ({burn:g} times what lasts for 30 days)",
            look=promise.look,
            anchor=promise.slo,
            labels={"slo": promise.slo},
        )
