"""What somebody is told when monitoring itself is not well.

In: spec and topology. Out: alert rules over Prometheus' and Alertmanager's own figures, and the watchdog.
Holds: the watchdog always fires. Whoever hears it outside knows that everything before him works, and by its silence
that something does not.
"""

from __future__ import annotations

from bastide.products.rules import Alert, Group
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a monitor."""
    monitors = len(topology.tier("monitor"))
    pair = () if monitors < 2 else (_split(monitors),)
    return (Group(name="monitoring", rules=(*_alerts(), *pair)),)


def _alerts() -> tuple[Alert, ...]:
    return (
        Alert(
            name="Watchdog",
            expr="vector(1)",
            lasting_s=0,
            severity="none",
            summary="Alerting works from end to end; this never stops",
            look="nothing, while it fires",
            anchor="monitoring",
        ),
        Alert(
            name="RuleFailures",
            expr="increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
            lasting_s=60,
            severity="ticket",
            summary="Rules of {{ $labels.rule_group }} fail on {{ $labels.host }}: their alerts are blind",
            look="the journal of prometheus on {{ $labels.host }}",
            anchor="monitoring",
        ),
        Alert(
            name="NotificationFailures",
            expr="increase(alertmanager_notifications_failed_total[5m]) > 0",
            lasting_s=0,
            severity="ticket",
            summary="{{ $labels.host }} could not deliver alerts by {{ $labels.integration }}",
            look="the journal of prometheus-alertmanager on {{ $labels.host }}; the receiver, and the wall on the way out",
            anchor="monitoring",
        ),
        Alert(
            name="AlertsDropped",
            # At a start Prometheus may be ready before Alertmanager is: only what goes on is worth telling.
            expr="increase(prometheus_notifications_dropped_total[1m]) > 0",
            lasting_s=180,
            severity="ticket",
            summary="Prometheus on {{ $labels.host }} cannot hand its alerts to Alertmanager",
            look="the journal of prometheus-alertmanager on {{ $labels.host }}",
            anchor="monitoring",
        ),
        Alert(
            name="ReloadFailed",
            expr="(prometheus_config_last_reload_successful == 0) or (alertmanager_config_last_reload_successful == 0)",
            lasting_s=60,
            severity="ticket",
            summary="{{ $labels.job }} on {{ $labels.host }} did not take its new configuration",
            look="its journal; `bastide apply` once more",
            anchor="monitoring",
        ),
        Alert(
            name="StoreFailing",
            expr="(increase(prometheus_tsdb_wal_writes_failed_total[10m]) > 0)"
            " or (increase(prometheus_tsdb_compactions_failed_total[1h]) > 0)",
            lasting_s=0,
            severity="ticket",
            summary="The store of metrics on {{ $labels.host }} cannot write",
            look="the disk of {{ $labels.host }} and the journal of prometheus",
            anchor="monitoring",
        ),
    )


def _split(monitors: int) -> Alert:
    return Alert(
        name="MonitorsApart",
        expr=f"alertmanager_cluster_members < {monitors}",
        lasting_s=120,
        severity="ticket",
        summary="{{ $labels.host }} sees {{ $value }} of the monitors: alerts may come twice",
        look="whether the other monitor runs, and port 9094 between them",
        anchor="monitoring",
    )
