"""Searching the logs of all hosts, in a monitor's store.

In: what the user asked for. Out: the parameters of the hub's search, and lines for people.
Holds: pure. Raises ValueError for a time that it cannot read, with the forms that it can.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

FORMS = "10m, 2h, 3d, '10 min ago', today, yesterday, 2026-01-31, '2026-01-31 12:00[:30]'"
MAX_LINES = 5000
_AGO = re.compile(r"-?(\d+(?:\.\d+)?) *(s|sec|second|m|min|minute|h|hour|d|day|w|week)s?( ago)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def read_since(text: str, now: datetime) -> float:
    """Unix seconds."""
    words = text.strip().lower()
    if found := _AGO.fullmatch(words):
        return now.timestamp() - float(found[1]) * _SECONDS[found[2][0]]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if words in ("today", "yesterday"):
        return (midnight - timedelta(days=words == "yesterday")).timestamp()
    try:
        return datetime.fromisoformat(words).timestamp()
    except ValueError:
        raise ValueError(f"'{text}' is no time; there are: {FORMS}") from None


def search_queries(
    sources: Mapping[str, tuple[str, ...]],
    *,
    all_hosts: bool,
    text: str,
    regex: bool,
    since: float,
    lines: int,
    count: bool = False,
) -> tuple[dict[str, str], ...]:
    """Parameters of the searches that together answer: one for all hosts, or one a host and unit."""
    common = {"text": text, "since": f"{since:.0f}", "limit": str(min(lines, MAX_LINES))}
    if regex:
        common["regex"] = "1"
    if count:
        common |= {"count": "1", "limit": "1"}
    units = set(sources.values())
    if all_hosts:
        return (common,)
    if len(units) == 1 and len(sources) > 1:
        ((unit,),) = units  # a service: the same unit on each of its hosts
        return ({**common, "unit": unit},)
    return tuple(
        {**common, "host": host, **({"unit": units[0]} if units else {})} for host, units in sources.items()
    )


def format_records(records: list[dict[str, Any]], width: int) -> list[str]:
    """Lines as the journals have them, the oldest first."""
    lines = []
    for record in sorted(records, key=lambda r: (r["t"], r["host"], r["seq"])):
        when = datetime.fromtimestamp(record["t"]).astimezone().isoformat(timespec="seconds")
        name = record.get("unit") or f"event {record.get('type', '')}"
        first, *rest = record["message"].splitlines() or [""]
        lines.append(f"{record['host']:<{width}} {when} {name.removesuffix('.service')}: {first}")
        lines += [f"{'':<{width}}   {line}" for line in rest]
    return lines
