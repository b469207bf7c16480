"""Requests, as figures that dashboards and alerts read: by tier and by route.

In: spec and topology. Out: recording rules, and alerts on traffic that is gone, unusual, slow or miscounted.
Holds: requests that the monitors make themselves are not traffic. Counters of requests are exact and never reset
(the agent keeps them), so a count over a span is last minus first, not `increase()`, which extrapolates.
"""

from __future__ import annotations

from bastide.products.rules import Alert, Group, Record
from bastide.products.vmagent.view import SCRAPE_S
from bastide.spec.model import Spec
from bastide.topology.model import Topology

SLOW_S = 1.0
DRIFT_RATIO, DRIFT_REQUESTS = 0.005, 50
_EDGE = 'tier="edge"'


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout that has an edge."""
    if not topology.tier("balancer"):
        return ()
    return (Group(name="traffic", rules=(*_records(), *_alerts(topology))),)


def _records() -> tuple[Record, ...]:
    edge, inner = "haproxy_http", "nginx_http"
    tiers = (("edge", edge, ""), ("web", inner, 'service="web"'), ("app", inner, 'service="app"'))
    found = []
    for tier, prefix, only in tiers:
        labels, also = {"tier": tier}, f",{only}" if only else ""
        total, buckets = f"{prefix}_requests_total", f"{prefix}_request_duration_seconds_bucket"
        found += [
            Record(name="tier:http_requests:rate1m", expr=f"sum(rate({total}{{{only}}}[1m]))", labels=labels),
            Record(
                name="tier:http_errors:rate1m",
                expr=f'sum(rate({total}{{status=~"5.."{also}}}[1m])) or (0 * sum(rate({total}{{{only}}}[1m])))',
                labels=labels,
            ),
            Record(
                name="tier_route:http_requests:rate1m",
                expr=f"sum by (route) (rate({total}{{{only}}}[1m]))",
                labels=labels,
            ),
            Record(
                name="tier_host:http_requests:rate1m",
                expr=f"sum by (host) (rate({total}{{{only}}}[1m]))",
                labels=labels,
            ),
        ]
        found += [
            Record(
                name=f"tier_route:http_request_duration_seconds:p{round(100 * quantile)}_5m",
                expr=f"histogram_quantile({quantile}, sum by (route, le) (rate({buckets}{{{only}}}[5m])))",
                labels=labels,
            )
            for quantile in (0.5, 0.99)
        ]
    passed_on = f"{_count('haproxy_http_requests_total')} - {_count('haproxy_own_responses_total')}"
    # Refused at the door: not from a balancer.
    received = _count("nginx_http_requests_total", 'service="web",route!="refused"')
    found += [
        Record(name="database:queries:rate1m", expr="sum by (host) (rate(mysql_global_status_questions[1m]))"),
        Record(
            name="edge:http_requests:drift15m",
            # What the balancers passed on, less what the web servers received.
            expr=f"{passed_on} + {_count('haproxy_retries_total')} - {received}",
        ),
    ]
    return tuple(found)


def _count(metric: str, only: str = "") -> str:
    """Exactly how many in the last 15 minutes; a series that was born since began at 0."""
    series = f"{metric}{{{only}}}"
    return f"((sum({series}) or vector(0)) - (sum({series} offset 15m) or vector(0)))"


def _alerts(topology: Topology) -> tuple[Alert, ...]:
    rate, probes = f"tier:http_requests:rate1m{{{_EDGE}}}", _own_rate(topology)
    before = f"avg_over_time({rate}[1h] offset 10m)"
    site_up = 'max(probe_success{flow="monitor-site"}) == 1'
    return (
        Alert(
            name="TrafficGone",
            expr=f"({rate} < {probes} + 0.02 * ({before} - {probes})) and ({before} > {probes} + 1) and on () ({site_up})",
            lasting_s=180,
            severity="page",
            summary="Nobody reaches the site any more, though it answers the monitors",
            look="DNS, the way from the internet to the balancers, drops in the firewall at the edge",
            anchor="traffic",
        ),
        Alert(
            name="TrafficUnusual",
            expr=f"({rate} > 5 * ({rate} offset 1d) or {rate} < 0.2 * ({rate} offset 1d))"
            f" and ({rate} offset 1d) > {probes} + 1",
            lasting_s=600,
            severity="ticket",
            summary="Traffic is five times what it was at this hour yesterday, or a fifth of it",
            look="top routes and top clients at the edge; releases and campaigns of today",
            anchor="traffic",
        ),
        Alert(
            name="RouteSlow",
            expr=f"(tier_route:http_request_duration_seconds:p99_5m{{{_EDGE}}} > {SLOW_S})"
            f" and (tier_route:http_requests:rate1m{{{_EDGE}}} > 0.2)",
            lasting_s=600,
            severity="ticket",
            summary="One of a hundred requests of {{ $labels.route }} takes longer than"
            f" {SLOW_S:g} s ({{{{ $value | humanizeDuration }}}})",
            look="the same route at the web and app tiers, then the database's slow queries",
            anchor="routes",
        ),
        Alert(
            name="CountDrift",
            expr=f"(abs(edge:http_requests:drift15m) > {DRIFT_RATIO} * {_count('haproxy_http_requests_total')})"
            f" and (abs(edge:http_requests:drift15m) > {DRIFT_REQUESTS})",
            lasting_s=900,
            severity="ticket",
            summary="Balancers and web servers disagree by {{ $value }} requests in 15 minutes",
            look="agents' lag and dropped lines; requests that reach a web server past the balancers",
            anchor="reconcile",
        ),
    )


def _own_rate(topology: Topology) -> str:
    """Requests a second at the edge that the monitors themselves make."""
    places = len(topology.tier("balancer")) + (topology.virtual_ip is not None)
    return f"{places * len(topology.tier('monitor')) / SCRAPE_S:g}"
