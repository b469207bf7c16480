"""What the shop asks of its database: reads that may lag, reads that may not, and writes that happen once.

In: pieces of work, functions of a cursor. Out: their results, or Unavailable, which becomes a 503.
Holds: a write is only ever given to `write` when repeating it is harmless (a unique key guards it). That is
what makes it safe to try again after a lost connection, when nobody can say whether it was carried out.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pymysql
from flask import current_app
from pymysql.cursors import Cursor

from .pool import LOST_CODES, Pool, close, error_code

T = TypeVar("T")
Work = Callable[[Cursor], T]
log = logging.getLogger(__name__)

WRITE_BUDGET_S = 3.0
REPLICA_TIMEOUT_S = 3.0  # less than for the primary, since there is another place to ask
REPLICA_PAUSE_S = 5.0  # how long a failing replica is left alone, so that not every read waits for it
QUICK_S = 1.0  # a loss found sooner than this was a stale connection; later, it was a silent server

DUPLICATE_KEY = 1062
READ_ONLY = 1290  # certain not to have been carried out: this server is no longer, or not yet, the primary
RETRY_WRITE_CODES = LOST_CODES | {
    READ_ONLY,
    1205,  # lock wait timeout
    1213,  # deadlock: rolled back
    1020,  # row changed under a snapshot
    1040,  # too many connections
    1047,  # cluster node not ready
    1053,  # server shutting down
    1317,  # interrupted
    1927,  # connection killed
    2002,  # could not connect
    2003,  # could not connect
}
# Trouble too, but none that trying again within seconds would cure: no access, blocked, out of quota.
UNAVAILABLE_CODES = RETRY_WRITE_CODES | {1044, 1045, 1049, 1129, 1130, 1203, 1226, 1698}


class Unavailable(Exception):
    """The database did not answer in time. The visitor is asked to try again."""


class Database:
    def __init__(self, *, primary: str, replica: str | None) -> None:
        self._primary = Pool(primary)
        self._replica = Pool(replica, REPLICA_TIMEOUT_S) if replica else None
        self._replica_again_at = 0.0

    def read(self, work: Work[T]) -> T:
        """From a replica, perhaps a little behind; from the primary when no replica answers."""
        if self._replica and time.monotonic() >= self._replica_again_at:
            try:
                return _read_from(self._replica, work)
            except pymysql.MySQLError as error:
                self._replica_again_at = time.monotonic() + REPLICA_PAUSE_S
                log.warning("replica failed, reading from the primary: %s", error)
        return self.read_fresh(work)

    def read_fresh(self, work: Work[T]) -> T:
        """From the primary: sees everything that was written before."""
        try:
            return _read_from(self._primary, work)
        except pymysql.MySQLError as error:
            if error_code(error) not in UNAVAILABLE_CODES:
                raise  # a mistake of ours: a 500 that someone must look at
            raise Unavailable(str(error)) from error

    def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction on the primary and commit it.

        Tried again with growing pauses for about 3 s. `work` must be guarded by a unique key: see above.
        """
        deadline = time.monotonic() + WRITE_BUDGET_S
        pause = 0.05
        while True:
            try:
                return self._transaction(work)
            except pymysql.MySQLError as error:
                code = error_code(error)
                if code not in UNAVAILABLE_CODES:
                    raise
                if code == READ_ONLY:
                    self._primary.forget()  # the others lead to the same demoted server
                if code not in RETRY_WRITE_CODES or time.monotonic() + pause > deadline:
                    raise Unavailable(str(error)) from error
                log.info("write will be tried again: %s", error)
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 0.4)

    def ask(self, timeout_s: float) -> None:
        """One trivial question to the primary, over a new connection. Raises Unavailable."""
        try:
            connection = self._primary.connect(timeout_s)
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                connection.close()
            finally:
                close(connection)
        except pymysql.MySQLError as error:
            raise Unavailable(str(error)) from error

    def _transaction(self, work: Work[T]) -> T:
        with self._primary.connection() as connection:
            connection.begin()
            with connection.cursor() as cursor:
                result = work(cursor)
            connection.commit()
            return result


def _read_from(pool: Pool, work: Work[T]) -> T:
    """Run `work`; once more, on a new connection, if the first one turned out to be lost.

    Not after a timeout: asking a silent server twice only keeps the visitor waiting twice as long.
    """
    started = time.monotonic()
    try:
        with pool.connection() as connection, connection.cursor() as cursor:
            return work(cursor)
    except pymysql.MySQLError as error:
        if error_code(error) not in LOST_CODES or time.monotonic() - started > QUICK_S:
            raise
    with pool.connection() as connection, connection.cursor() as cursor:
        return work(cursor)


def database() -> Database:
    """The database of the application that serves this request."""
    found: Any = current_app.extensions["database"]
    assert isinstance(found, Database)
    return found
