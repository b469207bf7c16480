"""The index: which chunk holds what, and every event and error by itself.

In: facts of sealed chunks; notable records. Out: rows. Holds: it can lag behind the files after a crash and is
brought up to them at the next start, never the other way round; one writer, any number of readers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastide.hub.records import Record

ERROR = 3
"""Records of this priority or worse are indexed by themselves, as all events are."""
MAX_NOTABLE = 200_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
  path TEXT PRIMARY KEY, host TEXT NOT NULL, day TEXT NOT NULL, t_min REAL NOT NULL, t_max REAL NOT NULL,
  seq_min INTEGER NOT NULL, seq_max INTEGER NOT NULL, lines INTEGER NOT NULL, size INTEGER NOT NULL,
  packed INTEGER NOT NULL, units TEXT NOT NULL, events INTEGER NOT NULL, priorities TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chunks_time ON chunks (t_max);
CREATE TABLE IF NOT EXISTS notable (
  id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, seq INTEGER NOT NULL, t REAL NOT NULL,
  kind TEXT NOT NULL, unit TEXT NOT NULL, priority INTEGER NOT NULL, message TEXT NOT NULL, fields TEXT NOT NULL,
  UNIQUE (host, seq)
);
CREATE INDEX IF NOT EXISTS notable_time ON notable (kind, t);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """One packed file."""

    path: str
    """Below the store."""
    host: str
    day: str
    t_min: float
    t_max: float
    seq_min: int
    seq_max: int
    lines: int
    size: int
    """Bytes before packing."""
    packed: int
    units: Mapping[str, int]
    """Lines by unit, or by type of event."""
    events: int
    priorities: Mapping[int, int]
    """Lines by priority."""


class Index:
    """The SQLite file; used by one thread."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        mode = "ro" if read_only else "rwc"
        self._connection = sqlite3.connect(
            f"file:{path}?mode={mode}", uri=True, timeout=5.0, check_same_thread=False, isolation_level=None
        )
        if not read_only:
            # NORMAL: a commit may be lost with the machine, and is made anew from the journal then.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def last_sequences(self) -> dict[str, int]:
        """The highest number that was ever sealed, by host; it outlives the chunks themselves."""
        return dict(self._connection.execute("SELECT host, last_seq FROM hosts"))

    def add_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Note sealed chunks, all or none; doing it twice is doing it once."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            for chunk in chunks:
                plain = (
                    chunk.path, chunk.host, chunk.day, chunk.t_min, chunk.t_max, chunk.seq_min, chunk.seq_max,
                    chunk.lines, chunk.size, chunk.packed, json.dumps(chunk.units), chunk.events,
                    json.dumps(chunk.priorities),
                )  # fmt: skip
                marks = ",".join("?" * len(plain))
                connection.execute(f"INSERT OR REPLACE INTO chunks VALUES ({marks})", plain)  # noqa: S608
                connection.execute(
                    "INSERT INTO hosts VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET last_seq = max(last_seq, ?)",
                    (chunk.host, chunk.seq_max, chunk.seq_max),
                )

    def drop_chunks(self, paths: Iterable[str]) -> None:
        """Forget them."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM chunks WHERE path = ?", [(path,) for path in paths])

    def chunks(self, *, since: float = 0.0, until: float = 2.0**41, host: str | None = None) -> list[Chunk]:
        """Those that overlap a time, the newest first."""
        where, values = "t_max >= ? AND t_min <= ?", [since, until]
        with closing(
            self._connection.execute(
                f"SELECT * FROM chunks WHERE {where} AND (? IS NULL OR host = ?) ORDER BY t_max DESC",  # noqa: S608
                (*values, host, host),
            )
        ) as rows:
            return [_chunk(row) for row in rows]

    def size(self) -> int:
        """Bytes of all chunks on disk."""
        return int(self._connection.execute("SELECT coalesce(sum(packed), 0) FROM chunks").fetchone()[0])

    def lines(self) -> int:
        """Records in all chunks."""
        return int(self._connection.execute("SELECT coalesce(sum(lines), 0) FROM chunks").fetchone()[0])

    def add_notable(self, records: Sequence[Record]) -> None:
        """Events and errors; those that are there already stay what they are."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR IGNORE INTO notable (host, seq, t, kind, unit, priority, message, fields)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        r.host, r.seq, r.t, r.kind, r.unit, r.priority,
                        r.message.encode("utf-8", "replace").decode(),
                        json.dumps(dict(r.fields)),
                    )
                    for r in records
                ],
            )  # fmt: skip

    def notable(
        self,
        *,
        kind: str,
        since: float = 0.0,
        until: float = 2.0**41,
        host: str | None = None,
        units: Sequence[str] = (),
        limit: int = 200,
    ) -> list[Record]:
        """Events (`kind` event) or errors (`kind` log), the newest first."""
        chosen = f" AND unit IN ({','.join('?' * len(units))})" if units else ""
        rows = self._connection.execute(
            "SELECT host, seq, t, kind, unit, priority, message, fields FROM notable"  # noqa: S608 - placeholders only
            f" WHERE kind = ? AND t >= ? AND t <= ? AND (? IS NULL OR host = ?){chosen} ORDER BY t DESC LIMIT ?",
            (kind, since, until, host, host, *units, limit),
        )
        return [_record(row) for row in rows]

    def drop_notable(self, before: float) -> None:
        """Forget those of old, and the oldest beyond what is kept at most."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM notable WHERE t < ?", (before,))
            connection.execute("DELETE FROM notable WHERE id <= (SELECT max(id) FROM notable) - ?", (MAX_NOTABLE,))


def is_notable(record: Record) -> bool:
    """Whether a record is indexed by itself."""
    return record.kind == "event" or record.priority <= ERROR


def _chunk(row: Sequence[Any]) -> Chunk:
    return Chunk(
        path=row[0], host=row[1], day=row[2], t_min=row[3], t_max=row[4], seq_min=row[5], seq_max=row[6],
        lines=row[7], size=row[8], packed=row[9], units=json.loads(row[10]), events=row[11],
        priorities={int(k): v for k, v in json.loads(row[12]).items()},
    )  # fmt: skip


def _record(row: Sequence[Any]) -> Record:
    return Record(
        host=row[0], seq=row[1], t=row[2], kind=row[3], unit=row[4], priority=row[5], message=row[6],
        fields=json.loads(row[7]),
    )  # fmt: skip
