"""One record as one line of bytes, made for scanning.

In: Record. Out: `seq, t, kind, priority, unit, fields, message`, tab between, message last; and back.
Holds: the message is not JSON, so that most searches find it with a plain scan for bytes; what cannot stand in a
line (newline, tab, backslash) is escaped, in a needle just the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bastide.hub.records import Record

COLUMNS = 7
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_BACK = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r", "0": "\0"}


def format_line(record: Record) -> bytes:
    """With its newline."""
    fields = format_fields(record)
    kind = "e" if record.kind == "event" else "l"
    text = (
        f"{record.seq}\t{record.t:.6f}\t{kind}\t{record.priority}\t{escape(record.unit)}\t{escape(fields)}\t"
        f"{escape(record.message)}\n"
    )
    # Lone surrogates are legal in JSON and in no file.
    return text.encode("utf-8", "replace")


def message_of(line: bytes) -> str:
    """The message alone, for scanning; what a crash left of a line gives some text too."""
    return unescape(line.rpartition(b"\t")[2].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What an index wants to know of a line."""

    seq: int
    t: float
    event: bool
    priority: int
    unit: str


def read_facts(line: bytes) -> Facts | None:
    """Without decoding the rest."""
    columns = line.split(b"\t")
    if len(columns) != COLUMNS:
        return None
    try:
        return Facts(
            int(columns[0]), float(columns[1]), columns[2] == b"e", int(columns[3]), unescape(columns[4].decode())
        )
    except ValueError:
        return None


def format_fields(record: Record) -> str:
    """Its fields as compact JSON; nothing without any."""
    return json.dumps(record.fields, ensure_ascii=False, separators=(",", ":")) if record.fields else ""


def parse_line(line: bytes, host: str) -> Record | None:
    """A line without its newline; None for what a crash left of one."""
    columns = line.split(b"\t")
    if len(columns) != COLUMNS:
        return None
    try:
        seq, t, kind, priority, unit, fields, message = (column.decode() for column in columns)
        return Record(
            host=host,
            seq=int(seq),
            t=float(t),
            kind="event" if kind == "e" else "log",
            priority=int(priority),
            unit=unescape(unit),
            fields=json.loads(unescape(fields)) if fields else {},
            message=unescape(message),
        )
    except ValueError:
        return None


def escape(text: str) -> str:
    """What may stand in a column."""
    # Nearly every text; asking costs a tenth of translating.
    if text.isprintable() and "\\" not in text:
        return text
    return text.translate(_ESCAPES)


def unescape(text: str) -> str:
    """And back."""
    if "\\" not in text:
        return text
    out: list[str] = []
    characters = iter(text)
    for character in characters:
        out.append(_BACK.get(next(characters, ""), "") if character == "\\" else character)
    return "".join(out)
