"""When each alert fires, and when it does not: series as promtool writes them.

In: nothing. Out: `CASES`, by how often rules are computed. A series is `name{labels}` and values from second 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Case:
    """One alert in one world."""

    alert: str
    series: Mapping[str, str]
    at: str
    fires: bool
    every: str = "10s"
    """Between two values, and between two evaluations."""


def both(
    alert: str, bad: Mapping[str, str], good: Mapping[str, str], at: str = "10m", every: str = "10s"
) -> list[Case]:
    """The alert fires in the bad world and not in the good one."""
    return [
        Case(alert=alert, series=bad, at=at, fires=True, every=every),
        Case(alert=alert, series=good, at=at, fires=False, every=every),
    ]


def steady(value: float | str, *selectors: str) -> dict[str, str]:
    """Series that keep one value for ten hours of ten seconds."""
    return dict.fromkeys(selectors, f"{value}x3600")


def _edge(per_step: Mapping[str, float], steps: int) -> dict[str, str]:
    """Requests at the edge by status, growing steadily."""
    return {
        f'haproxy_http_requests_total{{host="lb1",route="app",status="{status}"}}': f"0+{rate}x{steps}"
        for status, rate in per_step.items()
    }


def _latency(per_step: float, within_a_second: float, steps: int) -> dict[str, str]:
    name = "haproxy_http_request_duration_seconds"
    return {
        f'{name}_count{{host="lb1",route="app"}}': f"0+{per_step}x{steps}",
        f'{name}_bucket{{host="lb1",route="app",le="1"}}': f"0+{within_a_second}x{steps}",
        f'{name}_bucket{{host="lb1",route="app",le="5"}}': f"0+{per_step}x{steps}",
        f'{name}_bucket{{host="lb1",route="app",le="+Inf"}}': f"0+{per_step}x{steps}",
    }


HOSTS = ("lb1", "lb2", "web1", "web2", "app1", "app2", "db1", "db2", "monitor1", "monitor2")


def heartbeats(stop: Mapping[str, int]) -> dict[str, str]:
    """A heartbeat every two seconds; `stop`: how many a host sent before it fell silent."""
    return {
        f'up{{job="heartbeat",host="{host}"}}': f"1x{stop[host]} _x300" if host in stop else "1x400"
        for host in HOSTS
    }


VIP = 'node_network_address_info{{host="{}",address="198.18.0.5"}}'
NODE_UP = steady(1, 'up{job="node",host="lb1"}', 'up{job="node",host="lb2"}')
DB_UP = steady(1, 'up{job="mysqld",host="db1"}', 'up{job="mysqld",host="db2"}')
READ_ONLY = 'mysql_global_variables_read_only{{host="{}"}}'
SITE = 'probe_success{{flow="monitor-site",target="{}",host="{}"}}'
PENDING = 'vmagent_remotewrite_pending_data_bytes{host="web1"}'


def life(not_before: float, not_after: float) -> dict[str, str]:
    """A certificate, on a clock that begins at 0."""
    names = {"not_before": not_before, "not_after": not_after}
    return {
        f'bastide_certificate_{name}_seconds{{host="web1",subject="web.web1"}}': f"{value:.0f}x100"
        for name, value in names.items()
    }


def _disk(name: str) -> str:
    return f'node_filesystem_{name}{{host="web1",mountpoint="/",fstype="ext4"}}'


VOTERS = ("db1", "db2", "monitor1")
LEADER = 'etcd_server_has_leader{{host="{}"}}'
ETCD_UP = steady(1, *(f'up{{job="etcd",host="{host}"}}' for host in VOTERS))
SEMI_SYNC = 'mysql_global_status_rpl_semi_sync_master_{}{{host="db1"}}'


def _votes(count: int) -> dict[str, str]:
    """So many voters see a leader."""
    return ETCD_UP | {LEADER.format(host): f"{int(n < count)}x3600" for n, host in enumerate(VOTERS)}


def _heard(count: int) -> dict[str, str]:
    """All see a leader, and so many of them are still heard of after 200 s."""
    return {
        series: f"1x{3600 if n < count else 20}"
        for n, host in enumerate(VOTERS)
        for series in (f'up{{job="etcd",host="{host}"}}', LEADER.format(host))
    }


CASES: tuple[Case, ...] = (
    *both("VoteLost", _votes(1), _votes(2)),
    *both("VoterMissing", _votes(2), _votes(3)),
    *both("VoteLost", _heard(1), _heard(0), at="6m"),
    *both("VoterMissing", _heard(2), _heard(0), at="6m"),
    *both(
        "VoteSlow",
        {'etcd_server_leader_changes_seen_total{host="db1"}': "0+1x3600"},
        {'etcd_server_leader_changes_seen_total{host="db1"}': "1x3600"},
    ),
    *both(
        "VoterDiskGrows",
        steady(134217729, 'etcd_mvcc_db_total_size_in_bytes{host="db1"}'),
        steady(3000000, 'etcd_mvcc_db_total_size_in_bytes{host="db1"}'),
    ),
    *both(
        "DatabaseNoStandby",
        steady(0, READ_ONLY.format("db1"), SEMI_SYNC.format("status")),
        # A replica waits for nobody, and need not.
        steady(0, READ_ONLY.format("db1"))
        | steady(1, SEMI_SYNC.format("status"), READ_ONLY.format("db2"))
        | steady(0, SEMI_SYNC.format("status").replace("db1", "db2")),
    ),
    *both(
        "CommitsWait",
        steady(3, SEMI_SYNC.format("wait_sessions")) | steady(70, SEMI_SYNC.format("yes_tx")),
        steady(3, SEMI_SYNC.format("wait_sessions")) | {SEMI_SYNC.format("yes_tx"): "0+50x3600"},
    ),
    *both(
        "CommitsUnacknowledged",
        {SEMI_SYNC.format("no_tx"): "0x50 1x3600"},
        steady(7, SEMI_SYNC.format("no_tx")),
    ),
    *both(
        "BackendEmpty",
        steady(0, 'haproxy_backend_active_servers{host="lb1",proxy="web"}'),
        steady(1, 'haproxy_backend_active_servers{host="lb1",proxy="web"}'),
    ),
    *both(
        "WebServerOut",
        steady(1, 'haproxy_server_status{host="lb1",proxy="web",server="web1",state="DOWN"}'),
        steady(0, 'haproxy_server_status{host="lb1",proxy="web",server="web1",state="DOWN"}'),
    ),
    *both(
        "EdgeQueue",
        steady(3, 'haproxy_backend_current_queue{host="lb1",proxy="web"}'),
        # A queue that is gone at the next look is nobody's business.
        {'haproxy_backend_current_queue{host="lb1",proxy="web"}': "0x58 3 0x10"},
    ),
    *both(
        "EdgeSessionsHigh",
        steady(81, 'haproxy_process_current_connections{host="lb1"}')
        | steady(100, 'haproxy_process_max_connections{host="lb1"}'),
        steady(79, 'haproxy_process_current_connections{host="lb1"}')
        | steady(100, 'haproxy_process_max_connections{host="lb1"}'),
    ),
    *both(
        "EdgeRetries",
        {'haproxy_backend_retry_warnings_total{host="lb1",proxy="web"}': "0+5x200"},
        {'haproxy_backend_retry_warnings_total{host="lb1",proxy="web"}': "0x30 5x200"},
        at="15m",
    ),
    *both(
        "VirtualIpUnheld",
        NODE_UP | {VIP.format("lb1"): "1x30 stale"},
        # The holder is not heard of: it may well hold the address.
        {'up{job="node",host="lb1"}': "1x30", 'up{job="node",host="lb2"}': "1x360", VIP.format("lb1"): "1x30"},
    ),
    *both(
        "VirtualIpTwice",
        NODE_UP | steady(1, VIP.format("lb1"), VIP.format("lb2")),
        # The first holder died a minute ago; Prometheus still shows its last word.
        NODE_UP | {VIP.format("lb1"): "1x54", VIP.format("lb2"): "_x55 1x100"},
    ),
    *both(
        "DatabaseNoPrimary",
        DB_UP | steady(1, READ_ONLY.format("db1"), READ_ONLY.format("db2")),
        DB_UP | steady(0, READ_ONLY.format("db1")) | steady(1, READ_ONLY.format("db2")),
    ),
    *both(
        "DatabaseTwoPrimaries",
        steady(0, READ_ONLY.format("db1"), READ_ONLY.format("db2")),
        # A failover: the old primary's last word is a minute old.
        {READ_ONLY.format("db1"): "0x54", READ_ONLY.format("db2"): "1x55 0x100"},
    ),
    *both("DatabaseDown", steady(0, 'mysql_up{host="db1"}'), steady(1, 'mysql_up{host="db1"}')),
    *both(
        "DatabaseConnectionsHigh",
        steady(90, 'mysql_global_status_threads_connected{host="db1"}')
        | steady(100, 'mysql_global_variables_max_connections{host="db1"}'),
        steady(50, 'mysql_global_status_threads_connected{host="db1"}')
        | steady(100, 'mysql_global_variables_max_connections{host="db1"}'),
    ),
    *both(
        "DatabaseRestarted",
        {'mysql_global_status_uptime{host="db1"}': "1000+10x40 0+10x100"},
        # Its first start ever.
        {'mysql_global_status_uptime{host="db1"}': "_x45 0+10x100"},
    ),
    *both(
        "ReplicationStopped",
        steady(0, 'mysql_slave_status_slave_io_running{host="db2"}')
        | steady(1, 'mysql_slave_status_slave_sql_running{host="db2"}'),
        steady(1, 'mysql_slave_status_slave_io_running{host="db2"}')
        | steady(1, 'mysql_slave_status_slave_sql_running{host="db2"}'),
    ),
    *both(
        "ReplicationLag",
        steady(30, 'mysql_slave_status_seconds_behind_master{host="db2"}'),
        steady(4, 'mysql_slave_status_seconds_behind_master{host="db2"}'),
    ),
    *both(
        "ReplicaWritable",
        steady(0, READ_ONLY.format("db2")) | steady(1, 'mysql_slave_status_slave_sql_running{host="db2"}'),
        steady(0, READ_ONLY.format("db1")) | steady(1, 'mysql_slave_status_slave_sql_running{host="db2"}'),
    ),
    *both(
        "DiskLow",
        steady(9, _disk("avail_bytes")) | steady(100, _disk("size_bytes")) | steady(0, _disk("readonly")),
        # A full image that is never written to is full by design.
        steady(0, _disk("avail_bytes")) | steady(100, _disk("size_bytes")) | steady(1, _disk("readonly")),
    ),
    *both(
        "DiskFullSoon",
        {_disk("avail_bytes"): "3500-2x600", _disk("size_bytes"): "10000x600"},
        {_disk("avail_bytes"): "3500x600", _disk("size_bytes"): "10000x600"},
        at="7h",
        every="1m",
    ),
    *both(
        "InodesLow",
        steady(5, _disk("files_free")) | steady(100, _disk("files")),
        # Some file systems have no such limit, and say 0.
        steady(0, _disk("files_free")) | steady(0, _disk("files")),
    ),
    *both(
        "MemoryLow",
        steady(5, 'node_memory_MemAvailable_bytes{host="web1"}')
        | steady(100, 'node_memory_MemTotal_bytes{host="web1"}'),
        steady(50, 'node_memory_MemAvailable_bytes{host="web1"}')
        | steady(100, 'node_memory_MemTotal_bytes{host="web1"}'),
    ),
    *both(
        "OutOfMemory",
        {'node_vmstat_oom_kill{host="web1"}': "0x50 1x100"},
        steady(7, 'node_vmstat_oom_kill{host="web1"}'),
    ),
    *both(
        "CpuHigh",
        {'node_cpu_seconds_total{host="web1",mode="idle"}': "0+0.5x400"},
        {'node_cpu_seconds_total{host="web1",mode="idle"}': "0+5x400"},
        at="30m",
    ),
    *both(
        "CpuStolen",
        {'node_cpu_seconds_total{host="web1",mode="steal"}': "0+2x400"},
        {'node_cpu_seconds_total{host="web1",mode="steal"}': "0+0.1x400"},
        at="30m",
    ),
    *both(
        "ConntrackHigh",
        steady(90, 'node_nf_conntrack_entries{host="lb1"}') | steady(100, 'node_nf_conntrack_entries_limit{host="lb1"}'),
        steady(10, 'node_nf_conntrack_entries{host="lb1"}') | steady(100, 'node_nf_conntrack_entries_limit{host="lb1"}'),
    ),
    *both(
        "UnitFailed",
        steady(1, 'node_systemd_unit_state{host="web1",name="nginx.service",state="failed"}'),
        steady(1, 'node_systemd_unit_state{host="web1",name="nginx.service",state="active"}'),
    ),
    *both(
        "ClockUnsynchronised",
        steady(0, 'node_timex_sync_status{host="web1"}') | steady(16, 'node_timex_maxerror_seconds{host="web1"}'),
        steady(0, 'node_timex_sync_status{host="web1"}') | steady(0.1, 'node_timex_maxerror_seconds{host="web1"}'),
        at="20m",
    ),
    *both("CertificateDue", life(-7e6, 1e6), life(-2e6, 2e6)),
    *both("CertificateOverdue", life(-7e6, 5e5), life(-7e6, 1e6)),
    *both(
        "SiteDown",
        steady(0, SITE.format("virtual-ip", "monitor1"), SITE.format("lb1", "monitor1")),
        # One monitor is cut off; the other still reaches it.
        steady(0, SITE.format("virtual-ip", "monitor1")) | steady(1, SITE.format("virtual-ip", "monitor2")),
    ),
    *both(
        "EntranceDown",
        steady(0, SITE.format("lb1", "monitor1")) | steady(1, SITE.format("lb2", "monitor1")),
        steady(0, SITE.format("lb1", "monitor1")) | steady(1, SITE.format("lb1", "monitor2")),
    ),
    *both(
        "WebServerDown",
        steady(0, 'probe_success{flow="monitor-web",target="web1",host="monitor1"}'),
        steady(1, 'probe_success{flow="monitor-web",target="web1",host="monitor1"}'),
    ),
    *both(
        "ServedCertificateExpires",
        steady(5000, 'probe_ssl_earliest_cert_expiry{flow="monitor-site",target="lb1"}'),
        steady(500000, 'probe_ssl_earliest_cert_expiry{flow="monitor-site",target="lb1"}'),
    ),
    # Silent for 10 s of 2 s beats; and for less than that.
    Case(alert="HostSilent", series=heartbeats({"web1": 100}), at="212s", fires=True, every="2s"),
    Case(alert="HostSilent", series=heartbeats({"web1": 100}), at="206s", fires=False, every="2s"),
    # Nothing of it is shown any more: the spec still wants it.
    Case(alert="HostSilent", series=heartbeats({"web1": 100}), at="520s", fires=True, every="2s"),
    # Prometheus has only just started.
    Case(alert="HostSilent", series=heartbeats({"web1": 10}), at="40s", fires=False, every="2s"),
    # All at once: it is the monitor.
    Case(alert="HostSilent", series=heartbeats(dict.fromkeys(HOSTS, 100)), at="240s", fires=False, every="2s"),
    Case(alert="MonitorDeaf", series=heartbeats(dict.fromkeys(HOSTS, 100)), at="240s", fires=True, every="2s"),
    Case(alert="MonitorDeaf", series=heartbeats({"web1": 100}), at="240s", fires=False, every="2s"),
    *both(
        "AgentSilent",
        {'up{job="heartbeat",host="web1"}': "1x50 0x100"},
        # A restart misses one.
        {'up{job="heartbeat",host="web1"}': "1x50 0 1x100"},
        at="108s",
        every="2s",
    ),
    *both(
        "ExporterSilent",
        {'bastide_exporter_alive{host="web1",exporter="node"}': "1x50 0x100"},
        {'bastide_exporter_alive{host="web1",exporter="node"}': "1x50 0 1x100"},
        at="108s",
        every="2s",
    ),
    *both("TargetDown", steady(0, 'up{job="node",host="web1"}'), steady(1, 'up{job="node",host="web1"}')),
    *both("SpoolGrows", {PENDING: "0+1000000x200"}, {PENDING: "9000000-10000x200"}, at="20m"),
    *both(
        "SpoolDropped",
        {'vm_persistentqueue_bytes_dropped_total{host="web1"}': "0x50 900x100"},
        steady(900, 'vm_persistentqueue_bytes_dropped_total{host="web1"}'),
    ),
    *both(
        "HostSpeaksForAnother",
        {'bastide_hub_refused_total{host="monitor1",code="other-host"}': "0x50 3x100"},
        {'bastide_hub_refused_total{host="monitor1",code="limit"}': "0+3x150"},
    ),
    Case(alert="Watchdog", series={}, at="1m", fires=True),
    *both(
        "RuleFailures",
        {'prometheus_rule_evaluation_failures_total{host="monitor1",rule_group="x"}': "0+1x100"},
        steady(4, 'prometheus_rule_evaluation_failures_total{host="monitor1",rule_group="x"}'),
    ),
    *both(
        "NotificationFailures",
        {'alertmanager_notifications_failed_total{host="monitor1",integration="email"}': "0x55 1x10"},
        steady(3, 'alertmanager_notifications_failed_total{host="monitor1",integration="email"}'),
    ),
    *both(
        "AlertsDropped",
        {'prometheus_notifications_dropped_total{host="monitor1"}': "0+1x100"},
        {'prometheus_notifications_dropped_total{host="monitor1"}': "0x55 6x100"},
    ),
    *both(
        "ReloadFailed",
        steady(0, 'prometheus_config_last_reload_successful{host="monitor1"}'),
        steady(1, 'prometheus_config_last_reload_successful{host="monitor1"}'),
    ),
    *both(
        "StoreFailing",
        {'prometheus_tsdb_wal_writes_failed_total{host="monitor1"}': "0x50 1x20"},
        steady(0, 'prometheus_tsdb_wal_writes_failed_total{host="monitor1"}'),
    ),
    *both(
        "MonitorsApart",
        steady(1, 'alertmanager_cluster_members{host="monitor1"}'),
        steady(2, 'alertmanager_cluster_members{host="monitor1"}'),
    ),
    *both("ErrorsBurnFast", _edge({"200": 600, "503": 30}, 70), _edge({"200": 600, "404": 300, "503": 1}, 70), "1h", "1m"),
    # Half of all requests fail: of four in the hour.
    Case(alert="ErrorsBurnFast", series=_edge({"200": 0.03, "503": 0.03}, 70), at="1h", fires=False, every="1m"),
    # It is over: the short span says so.
    Case(
        alert="ErrorsBurnFast",
        series=_edge({"200": 600}, 70)
        | {'haproxy_http_requests_total{host="lb1",route="app",status="503"}': "0+60x40 2400x30"},
        at="1h",
        fires=False,
        every="1m",
    ),
    *both("ErrorsBurnSteady", _edge({"200": 600, "503": 5}, 400), _edge({"200": 600, "503": 2}, 400), "6h30m", "1m"),
    *both("ErrorsBurnSlow", _edge({"200": 600, "503": 2}, 500), _edge({"200": 6000, "503": 2}, 500), "8h", "1m"),
    *both("SlowBurnFast", _latency(600, 480, 70), _latency(600, 590, 70), "1h", "1m"),
    *both("SlowBurnSteady", _latency(600, 540, 400), _latency(600, 580, 400), "6h30m", "1m"),
    *both("SlowBurnSlow", _latency(600, 590, 500), _latency(600, 598, 500), "8h", "1m"),
    *both(
        "TrafficGone",
        # What is left is the monitors' own: three places, two monitors, every ten seconds.
        {'haproxy_http_requests_total{host="lb1",route="app",status="200"}': "0+300x300 90000+6x200"}
        | steady(1, SITE.format("virtual-ip", "monitor1")),
        {'haproxy_http_requests_total{host="lb1",route="app",status="200"}': "0+300x300 90000+60x200"}
        | steady(1, SITE.format("virtual-ip", "monitor1")),
        at="56m",
    ),
    *both(
        "TrafficUnusual",
        {'haproxy_http_requests_total{host="lb1",route="app",status="200"}': "0+600x2880 1728000+6000x200"},
        {'haproxy_http_requests_total{host="lb1",route="app",status="200"}': "0+600x3100"},
        at="24h40m",
        every="30s",
    ),
    *both(
        "RouteSlow",
        _latency(60, 10, 300) | _edge({"200": 60}, 300),
        _latency(60, 60, 300) | _edge({"200": 60}, 300),
        at="30m",
    ),
    *both(
        "CountDrift",
        {
            'haproxy_http_requests_total{host="lb1",status="200"}': "0+100x400",
            'nginx_http_requests_total{host="web1",service="web",status="200"}': "0+98x400",
        },
        # Own answers and retries explain the whole difference.
        {
            'haproxy_http_requests_total{host="lb1",status="200"}': "0+100x400",
            'haproxy_own_responses_total{host="lb1",status="429"}': "0+30x400",
            'haproxy_retries_total{host="lb1"}': "0+5x400",
            'nginx_http_requests_total{host="web1",service="web",status="200"}': "0+75x400",
        },
        at="40m",
    ),
)  # fmt: skip
