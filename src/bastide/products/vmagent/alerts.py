"""What somebody is told when a host is not heard of, or keeps what it should have shipped.

In: spec and topology. Out: alert rules over heartbeats and vmagent's own figures.
Holds: `up` of a host that died is not 0, it is absent, and shown for five minutes more: what counts is the age of the
newest heartbeat, against the list of hosts of the spec. When most hosts fall silent at once it is the monitor that is
deaf, and for as long as vmagent may wait before it tries again (a minute) no single host is accused.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.products.rules import Alert, Group, Record, Severity
from bastide.spec.model import Spec
from bastide.topology.model import Host, Topology

SILENT_S = 8
EVERY_S = 2
MISSED_S = 6
"""Holds two heartbeats at least."""
SETTLING_S = 90
_SPOOL_BYTES = 4 << 20


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups for every host."""
    return (
        Group(name="heartbeats", every_s=EVERY_S, rules=(*_records(topology), *_silence(topology), *_parts())),
        Group(name="shipping", rules=tuple(_shipping())),
    )


def _records(topology: Topology) -> Iterator[Record]:
    for host in topology.hosts.values():
        yield Record(name="host:wanted", expr="vector(1)", labels={"host": host.name})
    yield Record(
        name="host:heartbeat_age:seconds",
        expr='max by (host) (time() - timestamp(up{job="heartbeat"})) or on (host) max by (host) (host:wanted * 300)',
    )
    yield Record(
        name="monitor:silent_hosts:ratio",
        expr=f"(count(host:heartbeat_age:seconds > {SILENT_S}) or vector(0)) / count(host:wanted)",
    )


def _silence(topology: Topology) -> Iterator[Alert]:
    # It has been judging for a while, and most hosts were heard all along.
    settled = f"(count_over_time(monitor:silent_hosts:ratio[{SETTLING_S}s]) > {SETTLING_S // EVERY_S * 3 // 4})"
    hearing = f"(max_over_time(monitor:silent_hosts:ratio[{SETTLING_S}s]) <= 0.5)"
    yield Alert(
        name="MonitorDeaf",
        expr=f"(monitor:silent_hosts:ratio > 0.5) and {settled}",
        lasting_s=10,
        severity="page",
        summary="{{ $value | humanizePercentage }} of all hosts are silent: the monitor hears nobody, or they are gone",
        look="nginx, prometheus and the disk of the monitor; then the network between it and the hosts",
        anchor="monitoring",
    )
    alone = [host.name for host in topology.hosts.values() if _is_alone(topology, host)]
    ways: tuple[tuple[Severity, str], ...] = (("page", "=~"), ("ticket", "!~"))
    for severity, operator in ways:
        if severity == "page" and not alone:
            continue
        only = f'{{host{operator}"{"|".join(alone)}"}}' if alone else ""
        yield Alert(
            name="HostSilent",
            expr=f"(host:heartbeat_age:seconds{only} > {SILENT_S}) and on () ({settled} and {hearing})",
            lasting_s=0,
            severity=severity,
            summary="{{ $labels.host }} has not been heard of for {{ $value }} s",
            look="whether the machine runs (`bastide status`), then its network and vmagent",
            anchor="host-{{ $labels.host }}",
        )


def _is_alone(topology: Topology, host: Host) -> bool:
    """Whether nobody else serves in one of its roles."""
    return any(len(topology.tier(role)) == 1 for role in host.roles if role not in ("monitor", "witness"))


def _parts() -> Iterator[Alert]:
    # Two heartbeats without it: one is what a restart costs.
    for name, series, who, look in (
        (
            "AgentSilent",
            'up{job="heartbeat"}',
            "The monitoring agent",
            "`systemctl status bastide-agent`: nothing is counted there, and no logs are shipped until it is back",
        ),
        (
            "ExporterSilent",
            "bastide_exporter_alive",
            "What gives the figures of {{ $labels.exporter }}",
            "`systemctl status` of its unit",
        ),
    ):
        yield Alert(
            name=name,
            expr=f"max_over_time({series}[{MISSED_S}s]) == 0",
            lasting_s=0,
            severity="ticket",
            summary=f"{who} on {{{{ $labels.host }}}} is gone",
            look=f"{look}, on {{{{ $labels.host }}}}",
            anchor="host-{{ $labels.host }}",
        )


def _shipping() -> Iterator[Alert]:
    yield Alert(
        name="TargetDown",
        expr='up{job!="heartbeat"} == 0',
        lasting_s=60,
        severity="ticket",
        summary="{{ $labels.job }} on {{ $labels.host }} gives no figures",
        look="the journal of the exporter's unit on {{ $labels.host }}",
        anchor="host-{{ $labels.host }}",
    )
    yield Alert(
        name="SpoolGrows",
        expr="(vmagent_remotewrite_pending_data_bytes > "
        f"{_SPOOL_BYTES}) and (deriv(vmagent_remotewrite_pending_data_bytes[5m]) > 0)",
        lasting_s=300,
        severity="ticket",
        summary="{{ $labels.host }} keeps {{ $value | humanize1024 }}B that a monitor does not take",
        look="nginx and prometheus of each monitor; the journal of vmagent on {{ $labels.host }}",
        anchor="monitoring",
    )
    yield Alert(
        name="HostSpeaksForAnother",
        expr='increase(bastide_hub_refused_total{code="other-host"}[10m]) > 0',
        lasting_s=0,
        severity="page",
        summary="a host ships figures or records of another one; {{ $labels.host }} refused them",
        look="the journal of bastide-hub on {{ $labels.host }} says which host: its key is in wrong hands",
        anchor="monitoring",
    )
    yield Alert(
        name="SpoolDropped",
        expr="(increase(vm_persistentqueue_bytes_dropped_total[10m]) > 0)"
        " or (increase(vmagent_remotewrite_packets_dropped_total[10m]) > 0)"
        " or (increase(bastide_agent_spool_dropped_total[10m]) > 0)",
        lasting_s=0,
        severity="ticket",
        summary="{{ $labels.host }} threw away figures or records that could not be shipped",
        look="`monitor.spool`, and what kept the monitor from taking them",
        anchor="monitoring",
    )
