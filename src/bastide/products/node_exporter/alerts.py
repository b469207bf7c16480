"""What somebody is told about machines and certificates.

In: spec and topology. Out: ratios that the dashboard shows, and alert rules over node_exporter's figures.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.products.rules import Alert, Group, Record, Severity
from bastide.spec.model import Spec
from bastide.topology.model import Topology

_DISK = 'fstype!~"tmpfs|ramfs|squashfs|iso9660|nsfs"'


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups for every host."""
    clock = tuple(_clock()) if spec.system.time_sync else ()
    return (
        Group(name="hosts", rules=(*_records(), *_disks(), *_memory(), *_load(), *_system(), *clock)),
        Group(name="certificates", rules=tuple(_certificates()), every_s=60),
    )


def _records() -> Iterator[Record]:
    yield Record(
        name="host:cpu_used:ratio_rate1m",
        expr='1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle"}[1m]))',
    )
    yield Record(
        name="host:memory_used:ratio",
        expr="1 - max by (host) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
    )
    yield Record(
        name="host:disk_used:ratio",
        expr=f"1 - min by (host) (node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}})",
    )
    for way in ("receive", "transmit"):
        yield Record(
            name=f"host:network_{way}_bytes:rate1m",
            expr=f'sum by (host) (rate(node_network_{way}_bytes_total{{device!="lo"}}[1m]))',
        )


def _disks() -> Iterator[Alert]:
    left = f"node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}}"
    look = "`du -xh --max-depth=2 {{ $labels.mountpoint }} | sort -h` on {{ $labels.host }}"
    yield Alert(
        name="DiskLow",
        expr=f"({left} < 0.1) and (node_filesystem_readonly{{{_DISK}}} == 0)",
        lasting_s=300,
        severity="ticket",
        summary="{{ $labels.mountpoint }} of {{ $labels.host }} has {{ $value | humanizePercentage }} left",
        look=look,
        anchor="host-{{ $labels.host }}",
    )
    yield Alert(
        name="DiskFullSoon",
        expr=f"(predict_linear(node_filesystem_avail_bytes{{{_DISK}}}[6h], 86400) < 0) and ({left} < 0.4)",
        lasting_s=3600,
        severity="ticket",
        summary="{{ $labels.mountpoint }} of {{ $labels.host }} is full within a day if this goes on",
        look=look,
        anchor="host-{{ $labels.host }}",
    )
    yield Alert(
        name="InodesLow",
        expr=f"node_filesystem_files_free{{{_DISK}}} / (node_filesystem_files{{{_DISK}}} > 0) < 0.1",
        lasting_s=300,
        severity="ticket",
        summary="{{ $labels.mountpoint }} of {{ $labels.host }} has {{ $value | humanizePercentage }} of its inodes left",
        look="which folder holds the many small files (`du --inodes -x {{ $labels.mountpoint }}`)",
        anchor="host-{{ $labels.host }}",
    )


def _memory() -> Iterator[Alert]:
    yield Alert(
        name="MemoryLow",
        expr="host:memory_used:ratio > 0.92",
        lasting_s=300,
        severity="ticket",
        summary="{{ $labels.host }} uses {{ $value | humanizePercentage }} of its memory",
        look="`systemd-cgtop -m` on {{ $labels.host }}; processes of the application, the database's buffer pool",
        anchor="host-{{ $labels.host }}",
    )
    yield Alert(
        name="OutOfMemory",
        expr="increase(node_vmstat_oom_kill[10m]) > 0",
        lasting_s=0,
        severity="ticket",
        summary="The kernel of {{ $labels.host }} killed a process for want of memory",
        look="`journalctl -k -g 'Out of memory'` on {{ $labels.host }}",
        anchor="host-{{ $labels.host }}",
    )


def _load() -> Iterator[Alert]:
    yield Alert(
        name="CpuHigh",
        expr="host:cpu_used:ratio_rate1m > 0.9",
        lasting_s=900,
        severity="ticket",
        summary="{{ $labels.host }} has been using {{ $value | humanizePercentage }} of its processors",
        look="`top` on {{ $labels.host }}, and the traffic of the same minutes",
        anchor="host-{{ $labels.host }}",
    )
    yield Alert(
        name="CpuStolen",
        expr='avg by (host) (rate(node_cpu_seconds_total{mode="steal"}[5m])) > 0.1',
        lasting_s=900,
        severity="ticket",
        summary="Others take {{ $value | humanizePercentage }} of the processors of {{ $labels.host }}",
        look="the provider of the machine: it sold more than it has",
        anchor="host-{{ $labels.host }}",
    )
    follows = "{{ $value | humanizePercentage }} of the connections that it can"
    yield Alert(
        name="ConntrackHigh",
        expr="node_nf_conntrack_entries / node_nf_conntrack_entries_limit > 0.8",
        lasting_s=60,
        severity="ticket",
        summary=f"The firewall of {{{{ $labels.host }}}} follows {follows}",
        look="`conntrack -S`, and which peers hold the connections; beyond it new ones are dropped",
        anchor="host-{{ $labels.host }}",
    )


def _system() -> Iterator[Alert]:
    yield Alert(
        name="UnitFailed",
        expr='node_systemd_unit_state{state="failed"} == 1',
        lasting_s=30,
        severity="ticket",
        summary="{{ $labels.name }} on {{ $labels.host }} has failed",
        look="`systemctl status {{ $labels.name }}` on {{ $labels.host }}",
        anchor="host-{{ $labels.host }}",
    )


def _clock() -> Iterator[Alert]:
    yield Alert(
        name="ClockUnsynchronised",
        expr="(min_over_time(node_timex_sync_status[5m]) == 0) and (node_timex_maxerror_seconds >= 16)",
        lasting_s=600,
        severity="ticket",
        summary="The clock of {{ $labels.host }} follows nobody",
        look="`chronyc sources` on {{ $labels.host }}; whether time (udp 123) may go out",
        anchor="host-{{ $labels.host }}",
    )


def _certificates() -> Iterator[Alert]:
    left = "(bastide_certificate_not_after_seconds - time())"
    life = "(bastide_certificate_not_after_seconds - bastide_certificate_not_before_seconds)"
    stages: tuple[tuple[str, int, Severity], ...] = (
        ("CertificateDue", 3, "ticket"),
        ("CertificateOverdue", 10, "page"),
    )
    for name, part, severity in stages:
        yield Alert(
            name=name,
            expr=f"{left} < {life} / {part}",
            lasting_s=0,
            severity=severity,
            summary="The certificate {{ $labels.subject }} on {{ $labels.host }} has less than"
            f" 1/{part} of its life left",
            look="`bastide apply` renews it; why has nobody run it?",
            anchor="certificates",
        )
