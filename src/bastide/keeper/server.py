"""The MariaDB of this host, over its unix socket.

In: Settings. Out: `Server` facts, and the SQL behind each action. Raises ServerError with the statement's first
words (never its values: CHANGE MASTER holds a password).
Holds: the account is the system user's own, by unix_socket; no password is used to get in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-not-found,import-untyped,unused-ignore]
import pymysql.cursors  # type: ignore[import-not-found,import-untyped,unused-ignore]

from bastide.keeper.accounts import PREFIX, quote, render_accounts
from bastide.keeper.facts import Replication, Server
from bastide.keeper.settings import PeerSettings, Secrets, Settings

ACCOUNT = "mysql"
STATEMENT_TIMEOUT_S = 5
PULSE = "bastide.pulse"
"""The keeper's own table."""

_VARIABLES = (
    "SELECT @@read_only AS read_only, @@gtid_binlog_pos AS gtid_binlog_pos,"
    " @@gtid_binlog_state AS gtid_binlog_state, @@gtid_slave_pos AS gtid_slave_pos,"
    " @@rpl_semi_sync_master_enabled AS semi_sync, @@sync_relay_log = 1 AS relay_synced, @@datadir AS datadir"
)
_HASTE = "SET GLOBAL sync_relay_log = 1000"
_COUNTERS = "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_master\\_%'"
_QUERIES = "SHOW GLOBAL STATUS LIKE 'Queries'"


class ServerError(Exception):
    """The server refused a statement, or went away. The message names the statement's kind."""


class ForeignServer(ServerError):
    """Something else listens on our socket."""


class ServerClient:
    """Observes and changes one server; a connection a call, so that none outlives a restart. Who looks several times a
    second keeps one (`kept`), from one thread, and makes another at the look after one that failed."""

    def __init__(self, settings: Settings, timeout_s: float = STATEMENT_TIMEOUT_S, *, kept: bool = False) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._keeps = kept
        self._kept: Any = None

    def observe(self) -> Server | None:
        """Facts; None when it does not answer. Raises ForeignServer for a server with another data directory."""
        try:
            with self._looking() as connection:
                (variables,) = _rows(connection, _VARIABLES)
                counters = {r["Variable_name"]: r["Value"] for r in _rows(connection, _COUNTERS)}
                (queries,) = _rows(connection, _QUERIES)
                replicas = _rows(connection, "SHOW SLAVE STATUS")
        except ServerError:
            return None
        if Path(variables["datadir"]) != self._settings.data:
            raise ForeignServer(f"{self._settings.server_socket} belongs to a server on {variables['datadir']}")
        return Server(
            read_only=bool(variables["read_only"]),
            gtid_binlog_pos=variables["gtid_binlog_pos"] or "",
            gtid_binlog_state=variables["gtid_binlog_state"] or "",
            gtid_slave_pos=variables["gtid_slave_pos"] or "",
            replication=_replication(replicas[0]) if replicas else None,
            semi_sync=bool(variables["semi_sync"]),
            sync_clients=int(counters["Rpl_semi_sync_master_clients"]),
            waiting=int(counters["Rpl_semi_sync_master_wait_sessions"]),
            acknowledged=int(counters["Rpl_semi_sync_master_yes_tx"]),
            unacknowledged=int(counters["Rpl_semi_sync_master_no_tx"]),
            relay_synced=bool(variables["relay_synced"]),
            queries=int(queries["Value"]),
        )

    def open_for_writes(self, secrets: Secrets) -> None:
        """Drop a leftover replica role, allow writes, bring accounts and database in order."""
        with self._connect() as connection:
            if _rows(connection, "SHOW SLAVE STATUS"):
                _run(connection, "STOP SLAVE", "RESET SLAVE ALL")
            _run(connection, "SET GLOBAL rpl_semi_sync_slave_enabled = OFF", "SET GLOBAL read_only = OFF")
            users = _rows(connection, "SELECT User FROM mysql.user WHERE Host = '%'")
            _run(connection, *render_accounts(self._settings, secrets, [u["User"] for u in users]))

    def take_writes(self, permitted: Callable[[], bool]) -> None:
        """Allow writes, at the last moment and only if `permitted` then. The receiving side of semi-sync goes off."""
        with self._connect() as connection:
            _run(connection, "SET GLOBAL rpl_semi_sync_slave_enabled = OFF")
            if not permitted():
                raise ServerError("SET GLOBAL read_only: the lease is not held, or nobody would fence")
            _run(connection, "SET GLOBAL read_only = OFF")

    def forget_replication(self) -> None:
        """Drop the replica's role."""
        with self._connect() as connection:
            _run(connection, "STOP SLAVE", "RESET SLAVE ALL")

    def await_applied(self, gtid: str, within_s: float) -> Server | None:
        """Facts, taken once that position was applied, or when there was no more time."""
        with self._connect() as connection:
            _rows(connection, f"SELECT MASTER_GTID_WAIT({quote(gtid)}, {within_s:g})")
        return self.observe()

    def position(self) -> str:
        """The last transaction in the log."""
        with self._connect() as connection:
            (row,) = _rows(connection, "SELECT @@gtid_binlog_pos AS position")
            return str(row["position"] or "")

    def certificates_asked(self) -> dict[str, tuple[str, str]]:
        """By replica account: subject and issuer that it asks for now."""
        with self._connect() as connection:
            rows = _rows(
                connection,
                "SELECT User, CONVERT(x509_subject USING utf8mb4) AS subject, CONVERT(x509_issuer USING utf8mb4) AS issuer"
                " FROM mysql.user WHERE Host = '%'",
            )
        return {
            row["User"]: (row["subject"] or "", row["issuer"] or "")
            for row in rows
            if row["User"].startswith(PREFIX)
        }

    def reconcile_accounts(self, secrets: Secrets) -> None:
        """Accounts and database, as they must be."""
        with self._connect() as connection:
            users = _rows(connection, "SELECT User FROM mysql.user WHERE Host = '%'")
            _run(
                connection,
                *render_accounts(self._settings, secrets, [u["User"] for u in users]),
                "CREATE DATABASE IF NOT EXISTS bastide",
                f"CREATE TABLE IF NOT EXISTS {PULSE} (host VARCHAR(64) PRIMARY KEY, mark CHAR(36)) ENGINE=InnoDB",
            )

    def nudge(self) -> None:
        """One small commit; it waits for its acknowledgement, however long that takes: a connection that was given up
        would go on waiting in the server."""
        with self._connect() as connection:
            host = quote(self._settings.host)
            _run(connection, f"REPLACE INTO {PULSE} VALUES ({host}, UUID())")  # noqa: S608

    def stop_writes(self) -> str:
        """read_only without letting go a commit that waits; gives the last position. Raises ServerError after 1 s."""
        with self._connect() as connection:
            _run(connection, "SET SESSION lock_wait_timeout = 1", "SET GLOBAL read_only = ON")
            (row,) = _rows(connection, "SELECT @@gtid_binlog_pos AS position")
            return str(row["position"] or "")

    def stop_receiving(self) -> None:
        """The receiving thread alone: with both stopped, the next start would throw away what was received."""
        with self._connect() as connection:
            _run(connection, "STOP SLAVE IO_THREAD")

    def close_for_writes(self) -> None:
        """read_only; commits that wait for an acknowledgement are let go first, or this would wait for them."""
        with self._connect() as connection:
            _run(connection, "SET GLOBAL rpl_semi_sync_master_enabled = OFF", "SET GLOBAL read_only = ON")

    def set_semi_sync(self, on: bool) -> None:
        """Whether commits wait for a replica."""
        with self._connect() as connection:
            _run(connection, f"SET GLOBAL rpl_semi_sync_master_enabled = {'ON' if on else 'OFF'}")

    def set_position(self, gtid: str) -> None:
        """Where replication of a fresh copy begins."""
        with self._connect() as connection:
            _run(connection, "STOP SLAVE", f"SET GLOBAL gtid_slave_pos = {quote(gtid)}")

    def follow(self, peer: PeerSettings, secrets: Secrets, *, demote: bool, hasty: bool = False) -> None:
        """Replicate from the peer, by GTID, encrypted and verified where the spec says so. `hasty`: until it has caught
        up, what it receives need not be on disk at once."""
        if secrets.replication is None:
            raise ServerError("CHANGE MASTER: secrets.json holds no password for replication")
        tls = self._settings.tls
        options = {
            "MASTER_HOST": quote(self._settings.primary_host(peer)),
            "MASTER_PORT": str(self._settings.replication_port),
            "MASTER_USER": quote(f"{PREFIX}{self._settings.host}"),
            "MASTER_PASSWORD": quote(secrets.replication),
            "MASTER_USE_GTID": "slave_pos",
            "MASTER_CONNECT_RETRY": "1",
            "MASTER_HEARTBEAT_PERIOD": "1",
            "MASTER_SSL": "1" if tls else "0",
        }
        if tls:
            options |= {
                "MASTER_SSL_CA": quote(tls.ca),
                "MASTER_SSL_CERT": quote(tls.certificate),
                "MASTER_SSL_KEY": quote(tls.key),
                "MASTER_SSL_VERIFY_SERVER_CERT": "1",
            }
        # Proxies cut what they know of; sessions that came some other way would be refused each write from now on.
        cut = f"KILL CONNECTION USER {quote(self._settings.user)}@'localhost'"
        if demote:
            options["MASTER_DEMOTE_TO_SLAVE"] = "1"
        with self._connect() as connection:
            _run(
                connection,
                "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
                "SET GLOBAL read_only = ON",
                *((cut,) if demote else ()),
                "STOP SLAVE",
                "CHANGE MASTER TO " + ", ".join(f"{k} = {v}" for k, v in options.items()),
                "SET GLOBAL rpl_semi_sync_slave_enabled = ON",
                *((_HASTE,) if hasty else ()),
                "START SLAVE",
            )

    def resume_replication(self, *, hasty: bool = False) -> None:
        """Start replica threads that stand still; those that run are not touched."""
        haste = (_HASTE,) if hasty else ()
        with self._connect() as connection:
            _run(connection, "SET GLOBAL rpl_semi_sync_slave_enabled = ON", *haste, "START SLAVE")

    def sync_relay(self) -> None:
        """From now on what is received is on disk before it is acknowledged, and all that came before with it."""
        with self._connect() as connection:
            _run(connection, "SET GLOBAL sync_relay_log = 1")

    @contextmanager
    def _looking(self) -> Iterator[Any]:
        if not self._keeps:
            with self._connect() as connection:
                yield connection
            return
        connection, self._kept = self._kept or self._open(), None
        try:
            yield connection
        except ServerError:
            connection._force_close()
            raise
        self._kept = connection

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        with closing(self._open()) as connection:
            yield connection

    def _open(self) -> Any:
        try:
            return pymysql.connect(
                unix_socket=self._settings.server_socket,
                user=ACCOUNT,
                charset="utf8mb4",
                cursorclass=pymysql.cursors.DictCursor,
                connect_timeout=min(2, self._timeout_s),
                read_timeout=self._timeout_s,
                write_timeout=self._timeout_s,
                autocommit=True,
            )
        except (pymysql.err.MySQLError, OSError) as error:
            raise ServerError(f"connect: {error}") from error


def _rows(connection: Any, statement: str) -> Sequence[dict[str, Any]]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows: Sequence[dict[str, Any]] = cursor.fetchall()
            return rows
    except (pymysql.err.MySQLError, OSError) as error:
        raise ServerError(f"{' '.join(statement.split()[:3])}: {error.args[-1]}") from error


def _run(connection: Any, *statements: str) -> None:
    for statement in statements:
        _rows(connection, statement)


def _replication(row: dict[str, Any]) -> Replication:
    lag = row["Seconds_Behind_Master"]
    return Replication(
        source=row["Master_Host"],
        io=row["Slave_IO_Running"],
        sql=row["Slave_SQL_Running"],
        lag_s=None if lag is None else float(lag),
        io_errno=int(row["Last_IO_Errno"]),
        error=row["Last_SQL_Error"] or row["Last_IO_Error"],
        gtid_io_pos=row["Gtid_IO_Pos"] or "",
    )
