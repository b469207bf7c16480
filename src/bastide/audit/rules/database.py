"""Rules of the database: what is acknowledged must be on disk, and only who must may ask.

In: a Subject. Out: hits. Holds: AVA rules judge who takes over; these judge the servers themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.audit.snippets import is_off, mariadb_settings
from bastide.spec.values import format_duration

_LONGEST_LAG_S = 60.0


def _not_durable(subject: Subject) -> Iterator[Hit]:
    if subject.spec.database is not None and not subject.spec.database.durable:
        at = ("database", "durable")
        message = "Commits are acknowledged before they are on disk: a power cut takes the last ones back"
        yield Hit(element="database.durable", message=message, at=at, edits=(SetValue(path=at, yaml="true"),))


def _no_grants(subject: Subject) -> Iterator[Hit]:
    for name, value, line in mariadb_settings(subject.spec):
        if name == "skip_grant_tables" and not is_off(value):
            yield Hit(element="database.snippet", message=f"`{line.text}` lets anybody in as anybody", at=line.at)


def _reads_files(subject: Subject) -> Iterator[Hit]:
    for name, value, line in mariadb_settings(subject.spec):
        if name == "local_infile" and not is_off(value):
            message = f"`{line.text}` lets a statement ask the application for files of its host"
            yield Hit(element="database.snippet", message=message, at=line.at)


def _listens_everywhere(subject: Subject) -> Iterator[Hit]:
    for name, value, line in mariadb_settings(subject.spec):
        if name == "bind_address" and value in ("*", "0.0.0.0", "::"):  # noqa: S104 - it is what we look for
            message = f"`{line.text}` listens on every interface, the public one too"
            yield Hit(element="database.snippet", message=message, at=line.at)


def _plain_allowed(subject: Subject) -> Iterator[Hit]:
    for name, value, line in mariadb_settings(subject.spec):
        if (name == "require_secure_transport" and is_off(value)) or (name == "skip_ssl" and not is_off(value)):
            yield Hit(element="database.snippet", message=f"`{line.text}` lets SQL come in clear text", at=line.at)


def _promises_undone(subject: Subject) -> Iterator[Hit]:
    for name, value, line in mariadb_settings(subject.spec):
        undone = (
            (name in ("sync_binlog", "innodb_flush_log_at_trx_commit") and value != "1")
            or (
                name in ("gtid_strict_mode", "log_slave_updates", "rpl_semi_sync_master_wait_no_slave")
                and is_off(value)
            )
            or (name.startswith("rpl_semi_sync") and name.endswith("enabled") and is_off(value))
            or (name == "rpl_semi_sync_master_wait_point" and value == "after_commit")
            or (name == "rpl_semi_sync_master_timeout" and len(value) < 12)
            or (name == "binlog_format" and value != "row")
            or name == "skip_log_bin"
            or (name == "innodb_doublewrite" and is_off(value))
        )
        if undone:
            message = f"`{line.text}` breaks the promise that what was acknowledged is kept"
            yield Hit(element="database.snippet", message=message, at=line.at)


def _writes_down_statements(subject: Subject) -> Iterator[Hit]:
    for name, value, line in mariadb_settings(subject.spec):
        if name in ("general_log", "log_raw") and not is_off(value):
            message = f"`{line.text}` writes every statement down, with what users typed"
            yield Hit(element="database.snippet", message=message, at=line.at)


def _stale_reads(subject: Subject) -> Iterator[Hit]:
    database = subject.spec.database
    if database is not None and database.mode == "replication" and database.max_replica_lag > _LONGEST_LAG_S:
        at = ("database", "max_replica_lag")
        message = f"Readers may be told what was true {format_duration(database.max_replica_lag)} ago"
        yield Hit(element="database.max_replica_lag", message=message, at=at, edits=(SetValue(path=at, yaml="5s"),))


DATABASE_RULES = (
    Rule(
        id="DB001",
        title="Acknowledged before it is on disk",
        severity="high",
        why="Clients are told that their order was taken; after a power cut it is not there, and nobody knows which.",
        fix="Remove `durable: false`.",
        check=_not_durable,
    ),
    Rule(
        id="DB002",
        title="The database asks nobody who they are",
        severity="critical",
        why="Without grant tables every connection may read, change and drop everything.",
        fix="Remove the line from `database.snippet`.",
        check=_no_grants,
    ),
    Rule(
        id="DB003",
        title="The database may fetch files from its clients",
        severity="medium",
        why="With LOCAL INFILE an injected statement, or a false server, reads files of the application's host.",
        fix="Remove the line from `database.snippet`.",
        check=_reads_files,
    ),
    Rule(
        id="DB004",
        title="The database listens on every interface",
        severity="high",
        why="The wall is then all that stands before it; it should be the second thing that would have to fail.",
        fix="Remove the line: the database listens where replicas need it, and nowhere else.",
        check=_listens_everywhere,
    ),
    Rule(
        id="DB005",
        title="The database takes connections in clear text",
        severity="high",
        why="A client that is set wrongly then sends its password in clear text, and nothing refuses it.",
        fix="Remove the line from `database.snippet`.",
        check=_plain_allowed,
    ),
    Rule(
        id="DB006",
        title="A line that undoes what replication promises",
        severity="high",
        why=(
            "That nothing acknowledged is lost rests on a handful of settings together. One of them changed, and a "
            "takeover loses writes without a word."
        ),
        fix="Remove the line from `database.snippet`.",
        check=_promises_undone,
    ),
    Rule(
        id="DB007",
        title="Every statement is written down",
        severity="medium",
        why="The log then holds passwords and personal data, on a disk that is backed up and read by many.",
        fix="Remove the line; the slow query log finds what is slow.",
        check=_writes_down_statements,
    ),
    Rule(
        id="DB008",
        title="Very old reads are allowed",
        severity="low",
        why="A visitor who has just changed something sees the old state, and does it again.",
        fix="Let `database.max_replica_lag` be some seconds.",
        check=_stale_reads,
    ),
)
