"""What somebody is told about the balancers.

In: spec and topology. Out: alert rules over HAProxy's own figures.
"""

from __future__ import annotations

from bastide.products.rules import Alert, Group
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout that has balancers."""
    if not topology.tier("balancer"):
        return ()
    return (Group(name="haproxy", rules=_alerts()),)


def _alerts() -> tuple[Alert, ...]:
    return (
        Alert(
            name="BackendEmpty",
            expr='haproxy_backend_active_servers{proxy="web"} == 0',
            lasting_s=10,
            severity="page",
            summary="{{ $labels.host }} has no web server to pass requests to",
            look="the web servers' health, and the wall and certificates between balancers and web servers",
            anchor="edge",
        ),
        Alert(
            name="WebServerOut",
            expr='haproxy_server_status{proxy="web",state="DOWN"} == 1',
            lasting_s=30,
            severity="ticket",
            summary="{{ $labels.host }} gives {{ $labels.server }} no requests: its checks fail",
            look="nginx and the application on {{ $labels.server }}",
            anchor="edge",
        ),
        Alert(
            name="EdgeQueue",
            expr='haproxy_backend_current_queue{proxy="web"} > 0',
            lasting_s=60,
            severity="ticket",
            summary="{{ $value }} requests wait at {{ $labels.host }} for a web server",
            look="response times by tier: the slowest one is full",
            anchor="edge",
        ),
        Alert(
            name="EdgeSessionsHigh",
            expr="haproxy_process_current_connections / haproxy_process_max_connections > 0.8",
            lasting_s=60,
            severity="ticket",
            summary="{{ $labels.host }} holds {{ $value | humanizePercentage }} of the connections that it may",
            look="clients by connections; slow answers hold connections; then `balancer.max_connections`",
            anchor="edge",
        ),
        Alert(
            name="EdgeRetries",
            expr='rate(haproxy_backend_retry_warnings_total{proxy="web"}[5m]) > 0.1',
            lasting_s=300,
            severity="ticket",
            summary="{{ $labels.host }} has to ask web servers again ({{ $value | humanize }} times a second)",
            look="which web server resets or refuses: its journal and its load",
            anchor="edge",
        ),
    )
