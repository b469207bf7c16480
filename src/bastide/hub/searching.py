"""Searches, so that none can hold up what is live.

In: parameters of a request. Out: `Found` as plain values. Raises Refused.
Holds: a regular expression runs in a process of its own, with a limit on time and memory: some take for ever.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bastide.hub.refused import Refused
from bastide.hub.store.search import MAX_LIMIT, Found, Query, search

DEADLINE_S = 10.0
MEMORY = 512 << 20
DEFAULT_S = 86400.0
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_query(given: Mapping[str, str], now: float) -> Query:
    """`text`, `regex`, `since`, `until`, `host`, `unit`, `kind`, `priority`, `limit`, `count`. Raises Refused."""
    kind = given.get("kind") or None
    if kind not in (None, "log", "event"):
        raise Refused(400, "kind", "kind is log or event")
    return Query(
        text=given.get("text", ""),
        regex=given.get("regex", "") in ("1", "true"),
        since=read_time(given.get("since", ""), now, now - DEFAULT_S),
        until=read_time(given.get("until", ""), now, now + DEFAULT_S),
        host=given.get("host") or None,
        unit=given.get("unit") or None,
        kind=kind,
        priority=read_number(given, "priority", 7, 0, 7),
        limit=read_number(given, "limit", 200, 1, MAX_LIMIT),
        deadline_s=DEADLINE_S,
        counting=given.get("count", "") in ("1", "true"),
    )


def read_time(text: str, now: float, default: float) -> float:
    """Unix seconds, or how long ago: `15m`, `2h`. Raises Refused."""
    if not text:
        return default
    try:
        if text[-1] in _UNITS:
            return now - float(text[:-1]) * _UNITS[text[-1]]
        return float(text)
    except ValueError:
        raise Refused(400, "time", "a time is unix seconds, or how long ago, such as 15m") from None


def read_number(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number. Raises Refused."""
    text = given.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        raise Refused(400, name, f"{name} is a whole number from {least} to {most}")
    return int(text)


async def run_search(folder: Path, query: Query, argv: tuple[str, ...]) -> dict[str, Any]:
    """Search beside the event loop."""
    if not query.regex:
        return plain_found(await asyncio.to_thread(search, folder, query))
    process = await asyncio.create_subprocess_exec(
        *argv, str(folder), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(json.dumps(asdict(query)).encode()), DEADLINE_S + 2.0)
    except asyncio.TimeoutError:  # noqa: UP041 - Python 3.10 tells them apart
        raise Refused(
            422, "regex", f"this expression takes more than {DEADLINE_S:.0f} s; make it simpler"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        raise Refused(422, "regex", "this expression takes too much time or memory; make it simpler") from None
    if "error" in answer:
        raise Refused(400, answer["error"], answer["message"])
    return answer


def search_process(folder: Path) -> int:
    """The other process: a query on stdin, the answer on stdout."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limit = int(DEADLINE_S) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    try:
        answer = plain_found(search(folder, Query(**json.load(sys.stdin))))
    except Refused as error:
        answer = {"error": error.code, "message": error.message}
    json.dump(answer, sys.stdout)
    return 0


def plain_found(found: Found) -> dict[str, Any]:
    """As the API answers."""
    return {
        "version": 1,
        "records": [record.to_json() for record in found.records],
        "complete": found.complete,
        **({} if found.matched is None else {"matched": found.matched}),
        "scanned": {
            "lines": found.scanned_lines, "bytes": found.scanned_bytes, "seconds": round(found.seconds, 4),
        },
    }  # fmt: skip
