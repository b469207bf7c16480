"""Bring the database to the schema that this code needs: `python -m shop.migrate`.

Holds: run it as often as you like and on as many hosts at once; a run that has nothing to do writes nothing.
One lock makes simultaneous runs queue; and should a cluster not honour the lock, each statement is harmless
when repeated. Waits up to 60 s for a database that is still starting or not yet writable.
"""

import os
import sys
import time
from typing import Any

import pymysql
from pymysql.connections import Connection

from .pool import Pool, close, error_code
from .schema import MIGRATIONS, Statement

PATIENCE_S = 60.0
NO_SUCH_TABLE = 1146
# These will not get better by waiting: no such user, no right to this, a mistake in the SQL.
HOPELESS_CODES = frozenset({1044, 1045, 1064, 1142, 1698})


def migrate(connection: Connection) -> list[int]:
    """Apply what is missing; the versions that were applied now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('shop.migrate', 60) AS got")
        row: Any = cursor.fetchone()
        if row["got"] != 1:
            raise pymysql.OperationalError(1205, "another migration has held the lock for 60 s")
    done = applied_versions(connection)
    missing = sorted(set(MIGRATIONS) - done)
    for version in missing:
        apply(connection, version, MIGRATIONS[version])
    return missing  # the lock goes with the connection


def applied_versions(connection: Connection) -> set[int]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version FROM schema_migrations")
            return {row["version"] for row in cursor.fetchall()}
    except pymysql.ProgrammingError as error:
        if error_code(error) != NO_SUCH_TABLE:
            raise
        return set()


def apply(connection: Connection, version: int, statements: list[Statement]) -> None:
    with connection.cursor() as cursor:
        for sql, rows in statements:
            if rows:
                cursor.executemany(sql, rows)
            else:
                cursor.execute(sql)
        cursor.execute("INSERT IGNORE INTO schema_migrations (version) VALUES (%s)", (version,))


def main() -> int:
    pool = Pool(os.environ["DATABASE_URL"])
    deadline = time.monotonic() + float(os.environ.get("MIGRATE_PATIENCE_S", PATIENCE_S))
    said = ""
    while True:
        try:
            connection = pool.connect()
            try:
                applied = migrate(connection)
            finally:
                close(connection)
        except pymysql.MySQLError as error:
            if error_code(error) in HOPELESS_CODES or time.monotonic() > deadline:
                print(f"migrate: gave up: {error}", file=sys.stderr)
                return 1
            if str(error) != said:  # once for each reason, not once a second
                print(f"migrate: waiting for the database: {error}", file=sys.stderr)
                said = str(error)
            time.sleep(1)
        else:
            print(f"migrate: applied {applied}" if applied else "migrate: nothing to do")
            return 0


if __name__ == "__main__":
    sys.exit(main())
