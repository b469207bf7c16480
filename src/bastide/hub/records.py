"""Logs and events, as an agent ships them.

In: a gzip body of JSON lines. Out: `Record`s. Raises Refused for a body that is not that; a single bad line is
counted and passed over, since a host that repeats it for ever would ship nothing else any more.
Holds: no body unpacks to more than MAX_PLAIN; no record is larger than MAX_LINE.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bastide.hub.refused import Refused

MAX_PACKED = 8 << 20
MAX_PLAIN = 32 << 20
MAX_MEMBERS = 10_000
MAX_LINE = 256 << 10
MAX_MESSAGE = 64 << 10
MAX_WORD = 200
MAX_FIELDS = 64
EVENT_TYPES = (
    "vip", "firewall-drop", "unit-failed", "unit-started", "login", "drift", "certificate", "agent", "spool", "deploy",
    "verify",
    "drill",
)  # fmt: skip
"""What agents send; programs that push, and the hub itself (`alert`, `acknowledged`, `silenced`), may add others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One line of a log, or one event."""

    host: str
    seq: int
    t: float
    kind: Literal["log", "event"]
    unit: str
    """systemd unit of a log line; type of an event."""
    priority: int
    """As syslog has it: 0 worst, 7 least."""
    message: str
    fields: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        name = "unit" if self.kind == "log" else "type"
        return {
            "host": self.host, "seq": self.seq, "t": self.t, "kind": self.kind, name: self.unit,
            "priority": self.priority, "message": self.message, "fields": dict(self.fields),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one request holds."""

    records: tuple[Record, ...]
    refused: int
    highest: int
    """Highest sequence number that was readable, of refused lines too; -1 without any."""


def unpack(body: bytes) -> bytes:
    """Gzip, bounded."""
    if len(body) > MAX_PACKED:
        raise Refused(413, "too-large", f"at most {MAX_PACKED} bytes a request")
    members: list[bytes] = []
    left = MAX_PLAIN
    while body:
        # Several members in a row are one gzip file: an agent joins what it packed at different times.
        unpacker = zlib.decompressobj(wbits=31)
        try:
            plain = unpacker.decompress(body, left + 1)
        except zlib.error:
            raise Refused(400, "not-gzip", "records come as gzip") from None
        left -= len(plain)
        if left < 0 or unpacker.unconsumed_tail:
            raise Refused(413, "too-large", f"unpacked at most {MAX_PLAIN} bytes a request")
        if not unpacker.eof or len(members) >= MAX_MEMBERS:
            raise Refused(400, "not-gzip", f"records come as whole gzip members, at most {MAX_MEMBERS}")
        members.append(plain)
        body = unpacker.unused_data
    return b"".join(members)


def parse_records(plain: bytes, *, host: str) -> Batch:
    """Lines of that host."""
    records: list[Record] = []
    refused, highest = 0, -1
    for line in plain.split(b"\n"):
        if not line:
            continue
        seq, record = _record(line, host)
        highest = max(highest, seq)
        if record is None:
            refused += 1
        else:
            records.append(record)
    return Batch(records=tuple(records), refused=refused, highest=highest)


def _record(line: bytes, host: str) -> tuple[int, Record | None]:
    if len(line) > MAX_LINE:
        return -1, None
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError):
        return -1, None
    if not isinstance(plain, dict):
        return -1, None
    if plain.get("host", host) != host:
        raise Refused(403, "other-host", f"{host} may not speak for another host")
    seq = plain.get("seq")
    if type(seq) is not int or not 0 <= seq < 2**62:
        return -1, None
    return seq, make_record(plain, host=host, seq=seq)


def make_record(plain: Mapping[str, Any], *, host: str, seq: int) -> Record | None:
    """A record out of plain values, or None if it is none."""
    t, kind, priority, message = (plain.get(key) for key in ("t", "kind", "priority", "message"))
    unit = plain.get("unit" if kind == "log" else "type")
    fields = plain.get("fields") or {}
    if (
        kind not in ("log", "event")
        or type(t) not in (int, float)
        or not math.isfinite(t)  # type: ignore[arg-type]
        or not 0 <= t < 2**40  # type: ignore[operator]
        or type(priority) is not int
        or not 0 <= priority <= 7
        or not isinstance(message, str)
        or not isinstance(unit, str)
        or len(unit) > MAX_WORD
        or not isinstance(fields, dict)
        or len(fields) > MAX_FIELDS
    ):
        return None
    return Record(
        host=host, seq=seq, t=float(t), kind=kind, unit=unit, priority=priority,  # type: ignore[arg-type]
        message=message[:MAX_MESSAGE], fields=fields,
    )  # fmt: skip
