"""What somebody is told about the database.

In: spec and topology. Out: alert rules over mysqld_exporter's figures.
Holds: who is primary is read from who accepts writes. Only samples of now count there: a primary that died would
otherwise go on being one for five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.products.rules import Alert, Group, Record, fresh
from bastide.spec.failover import is_automatic
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout that has databases."""
    if spec.database is None or not topology.tier("database"):
        return ()
    rules = (*_writers(), *_servers(topology))
    if spec.database.mode == "replication":
        rules += tuple(_replication(spec.database.max_replica_lag))
    if is_automatic(spec):
        rules += tuple(_failover())
    return (Group(name="mariadb", every_s=5, rules=rules),)


def _writers() -> Iterator[Record | Alert]:
    writable, heard = fresh("mysql_global_variables_read_only"), fresh('up{job="mysqld"}')
    yield Record(name="database:writable:count", expr=f"count({writable} == 0) or vector(0)")
    yield Alert(
        name="DatabaseNoPrimary",
        expr=f"(database:writable:count == 0) and on () (count({heard}) > 0)",
        lasting_s=20,
        severity="page",
        summary="No database accepts writes",
        look="`bastide db status`: who could be primary, and why nobody is",
        anchor="database",
    )
    yield Alert(
        name="DatabaseTwoPrimaries",
        expr="database:writable:count > 1",
        lasting_s=10,
        severity="page",
        summary="{{ $value }} databases accept writes at the same time",
        look="`bastide db status` and the keepers' journals; stop the one that should not",
        anchor="database",
    )


def _servers(topology: Topology) -> Iterator[Alert]:
    alone = len(topology.tier("database")) == 1
    yield Alert(
        name="DatabaseDown",
        expr="mysql_up == 0",
        lasting_s=20,
        severity="page" if alone else "ticket",
        summary="MariaDB on {{ $labels.host }} does not answer",
        look="journals of mariadb and keeper on {{ $labels.host }}",
        anchor="database",
    )
    yield Alert(
        name="DatabaseConnectionsHigh",
        expr="mysql_global_status_threads_connected / mysql_global_variables_max_connections > 0.8",
        lasting_s=60,
        severity="ticket",
        summary="{{ $labels.host }} uses {{ $value | humanizePercentage }} of its database connections",
        look="the application's pools and slow queries; then `database.max_connections`",
        anchor="database",
    )
    yield Alert(
        name="DatabaseRestarted",
        expr="(mysql_global_status_uptime < 300) and (mysql_global_status_uptime offset 6m > 0)",
        lasting_s=0,
        severity="ticket",
        summary="MariaDB on {{ $labels.host }} started anew {{ $value | humanizeDuration }} ago",
        look="its journal: whether it was told to, crashed or was killed for memory",
        anchor="database",
    )


def _failover() -> Iterator[Alert]:
    writable, waits = (
        "mysql_global_variables_read_only == 0",
        "mysql_global_status_rpl_semi_sync_master_status == 0",
    )
    yield Alert(
        name="DatabaseNoStandby",
        expr=f"({writable}) and on (host) ({waits})",
        lasting_s=30,
        severity="ticket",
        summary="{{ $labels.host }} is the primary and alone: nothing could take over",
        look="`bastide db status`: why the other does not stand by",
        anchor="database",
    )
    yield Alert(
        name="CommitsWait",
        expr="mysql_global_status_rpl_semi_sync_master_wait_sessions > 0"
        " and delta(mysql_global_status_rpl_semi_sync_master_yes_tx[1m]) == 0",
        lasting_s=15,
        severity="page",
        summary="{{ $value }} commits on {{ $labels.host }} wait for a standby",
        look="`bastide db status`; with `without_standby: block` this lasts until a standby is back",
        anchor="database",
    )
    yield Alert(
        name="CommitsUnacknowledged",
        expr="increase(mysql_global_status_rpl_semi_sync_master_no_tx[5m]) > 0",
        lasting_s=0,
        severity="ticket",
        summary="{{ $labels.host }} answered {{ $value }} commits that no standby acknowledged",
        look="who kills queries that wait (KILL QUERY makes MariaDB say OK), or switched semi-sync off by hand",
        anchor="database",
    )


def _replication(max_lag_s: float) -> Iterator[Alert]:
    yield Alert(
        name="ReplicationStopped",
        expr="(mysql_slave_status_slave_io_running == 0) or (mysql_slave_status_slave_sql_running == 0)",
        lasting_s=30,
        severity="ticket",
        summary="{{ $labels.host }} does not follow the primary",
        look="SHOW REPLICA STATUS on {{ $labels.host }}; the wall and certificates between the databases",
        anchor="database",
    )
    yield Alert(
        name="ReplicationLag",
        expr=f"mysql_slave_status_seconds_behind_master > {max_lag_s:g}",
        lasting_s=60,
        severity="ticket",
        summary="{{ $labels.host }} is {{ $value }} s behind the primary, and gets no reads",
        look="large transactions on the primary; disk and CPU of {{ $labels.host }}",
        anchor="database",
    )
    yield Alert(
        name="ReplicaWritable",
        expr="(mysql_global_variables_read_only == 0) and on (host) (mysql_slave_status_slave_sql_running == 1)",
        lasting_s=20,
        severity="ticket",
        summary="{{ $labels.host }} follows a primary and accepts writes of its own",
        look="`bastide db status`, and the keeper's journal on {{ $labels.host }}",
        anchor="database",
    )
