"""Database connections that one process keeps and reuses.

In: a URL `mysql://user:password@host:port/database`. Out: `with pool.connection() as c`.
Holds: a connection is used by one thread at a time, is never shared across a fork, and after any database
error is closed, never reused, since nobody knows what state it is in.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

KEEP = 4  # idle connections a process; a burst opens more and closes them again
PING_AFTER_IDLE_S = 1.0  # a proxy may have dropped what lay idle longer than this
PING_TIMEOUT_S = 1.0
CONNECT_TIMEOUT_S = 3
QUERY_TIMEOUT_S = 10

# The conversation ended; whether the last statement was carried out is unknown.
LOST_CODES = frozenset({0, 2006, 2013, 2014, 2055})


def error_code(error: BaseException) -> int:
    """The server's or the client's error number; 0 for a connection found closed; -1 when there is none."""
    if isinstance(error, pymysql.InterfaceError):
        return 0
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1


def parse_url(url: str) -> dict[str, Any]:
    """`mysql://user:p%40ss@host:3306/name` as arguments of pymysql.connect. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "mysql" or not parts.hostname or not parts.path.strip("/"):
        raise ValueError("expected a database URL of the form mysql://user:password@host:port/database")
    return {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.strip("/")),
    }


class Pool:
    def __init__(self, url: str, query_timeout_s: float = QUERY_TIMEOUT_S) -> None:
        self._where = parse_url(url)
        self._query_timeout_s = query_timeout_s
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Connection]] = []
        self._owner = os.getpid()

    def connect(self, timeout_s: float | None = None) -> Connection:
        """A new connection of the caller's own; `timeout_s` replaces both timeouts."""
        greeting_s, query_s = timeout_s or CONNECT_TIMEOUT_S, timeout_s or self._query_timeout_s
        connection = pymysql.connect(
            **self._where,
            charset="utf8mb4",
            cursorclass=DictCursor,
            autocommit=True,
            connect_timeout=greeting_s,
            read_timeout=greeting_s,
            write_timeout=query_s,
        )
        # PyMySQL reads the greeting under read_timeout. A frozen server still accepts, and never greets: that
        # should take the 3 s of a failed connection, not the 10 s of a slow query.
        connection._read_timeout = query_s
        return connection

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A live connection, given back afterwards. An error of the caller's own (out of stock, say) rolls
        back and keeps the connection; an error of the database closes it."""
        connection = self._take()
        kept = False
        try:
            yield connection
            kept = True
        except pymysql.MySQLError as error:
            if error_code(error) in LOST_CODES:
                self.forget()  # what killed this one has probably killed its neighbours
            raise
        except Exception:
            connection.rollback()
            kept = True
            raise
        finally:
            if kept:
                self._give_back(connection)
            else:
                close(connection)

    def forget(self) -> None:
        """Close every idle connection: the next one is new and goes where the proxy sends it."""
        with self._lock:
            idle, self._idle = self._idle, []
        if self._owner == os.getpid():
            for _, connection in idle:
                close(connection)

    def _take(self) -> Connection:
        if self._owner != os.getpid():  # we are a forked worker: these sockets are our parent's
            with self._lock:
                self._idle, self._owner = [], os.getpid()
        while True:
            with self._lock:
                since, connection = self._idle.pop() if self._idle else (0.0, None)
            if connection is None:
                return self.connect()
            if time.monotonic() - since < PING_AFTER_IDLE_S:
                return connection
            if self._alive(connection):
                return connection
            self.forget()  # the others are no younger, and each would cost us the same wait

    def _alive(self, connection: Connection) -> bool:
        """Ask, but not for long; a connection that does not answer is closed."""
        connection._read_timeout = PING_TIMEOUT_S
        try:
            connection.ping(reconnect=False)
        except pymysql.MySQLError:
            close(connection)
            return False
        connection._read_timeout = self._query_timeout_s
        return True

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < KEEP and connection.open:
                self._idle.append((time.monotonic(), connection))
                return
        close(connection)


def close(connection: Connection) -> None:
    """Close without waiting for a server that may be gone."""
    if connection.open:
        connection._force_close()
