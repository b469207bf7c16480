"""The accounts and the database that a primary must have, as SQL.

In: Settings, Secrets, and the replica accounts that exist. Out: statements, each of which may be repeated; they
hold password hashes, never passwords.
Holds: the application may do anything to its own database and nothing elsewhere; a replica account opens only to
the certificate of its own host; a host that left the spec has none; the exporter sees the server's state, no data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bastide.keeper.settings import Secrets, Settings

PREFIX = "replica-"


def render_accounts(settings: Settings, secrets: Secrets, existing: Iterable[str]) -> tuple[str, ...]:
    """Statements that bring accounts and database to what is set. `existing`: user names on the server."""
    app = f"{quote(settings.user)}@'localhost'"
    app_password = f"IDENTIFIED VIA mysql_native_password USING {quote(hash_password(secrets.app))}"
    statements = [
        f"CREATE DATABASE IF NOT EXISTS {quote_name(settings.database)} CHARACTER SET utf8mb4",
        f"CREATE USER IF NOT EXISTS {app} {app_password}",
        f"ALTER USER {app} {app_password}",
        f"GRANT ALL PRIVILEGES ON {quote_pattern(settings.database)}.* TO {app}",
    ]
    if settings.exporter is not None:
        exporter = f"{quote(settings.exporter)}@'localhost'"
        # Known by the system user at the other end of the socket: there is no password to lose.
        how = "IDENTIFIED VIA unix_socket WITH MAX_USER_CONNECTIONS 3"
        statements += [
            f"CREATE USER IF NOT EXISTS {exporter} {how}",
            f"ALTER USER {exporter} {how}",
            f"GRANT PROCESS, SLAVE MONITOR ON *.* TO {exporter}",
        ]
    wanted = set()
    for name, (subject, issuer) in derive_certificates(settings).items():
        if secrets.replication is None:
            raise ValueError("secrets.json holds no password for replication")
        wanted.add(name)
        account = f"{quote(name)}@'%'"
        how = f"IDENTIFIED VIA mysql_native_password USING {quote(hash_password(secrets.replication))} " + (
            f"REQUIRE SUBJECT {quote(subject)} AND ISSUER {quote(issuer)}" if subject else "REQUIRE NONE"
        )
        statements += [
            f"CREATE USER IF NOT EXISTS {account} {how}",
            f"ALTER USER {account} {how}",
            f"GRANT REPLICATION SLAVE ON *.* TO {account}",
        ]
    gone = sorted(name for name in existing if name.startswith(PREFIX) and name not in wanted)
    statements += [f"DROP USER IF EXISTS {quote(name)}@'%'" for name in gone]
    return tuple(statements)


def derive_certificates(settings: Settings) -> dict[str, tuple[str, str]]:
    """By replica account: subject and issuer of the one certificate that opens it; empty where none is asked for."""
    hosts = (settings.host, *(peer.host for peer in settings.peers)) if settings.mode == "replication" else ()
    return {
        PREFIX + host: (f"/CN=database.{host}", settings.tls.issuer) if settings.tls else ("", "") for host in hosts
    }


def digest_accounts(settings: Settings, secrets: Secrets) -> str:
    """Changes when the accounts must be made anew; the same on every database host."""
    every = sorted(render_accounts(settings, secrets, ()))
    return hashlib.sha256("\n".join(every).encode()).hexdigest()[:24]


def hash_password(password: str) -> str:
    """As mysql_native_password stores it."""
    inner = hashlib.sha1(password.encode()).digest()  # noqa: S324 (the server's own format)
    return "*" + hashlib.sha1(inner).hexdigest().upper()  # noqa: S324


def quote(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("`", "``") + "`"


def quote_pattern(name: str) -> str:
    """A database in GRANT, where `_` and `%` are wildcards."""
    return quote_name(name.replace("_", "\\_").replace("%", "\\%"))
