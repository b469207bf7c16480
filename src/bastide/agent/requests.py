"""Which lines of the request logs become log records.

In: a block that was counted. Out: records without a number, for requests that a server failed (status 500 and above),
or for all of them, whichever the settings say; failures are bounded in number a second, all of them are not: who asked
for every request is told of every request.
Why not all by default: at 10,000 requests/s they would be 1.5 GB an hour from each host, for what metrics say already;
the lines themselves stay on their host for two weeks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bastide.agent.events import clean
from bastide.agent.settings import Log

_UNITS = {"edge": "haproxy.service", "web": "nginx.service", "app": "nginx.service"}
_SHOWN = 2000


class RequestRecords:
    """Of one log."""

    def __init__(self, log: Log, *, every: bool, max_per_second: int):
        self._log = log
        self.every = every
        self._max = max_per_second
        self._status = log.columns.index("status")
        self._second = -1
        self._taken = 0
        self.suppressed = 0

    def read(self, block: bytes, now_s: float) -> Iterator[dict[str, Any]]:
        """Records of a block."""
        if not self.every and b"\t5" not in block:
            return
        width = len(self._log.columns)
        for line in block.split(b"\n"):
            # Most lines are done after this: a split of the first columns costs what a search would.
            head = line.split(b"\t", self._status + 1)
            if len(head) <= self._status + 1 or not (self.every or head[self._status][:1] == b"5"):
                continue
            fields = line.split(b"\t")
            if len(fields) == width:
                if int(now_s) != self._second:
                    self._second, self._taken = int(now_s), 0
                self._taken += 1
                if self._taken > self._max and not self.every:
                    self.suppressed += 1
                    continue
                yield self._record(fields, now_s)

    def _record(self, fields: list[bytes], now_s: float) -> dict[str, Any]:
        named = {
            name: clean(value.decode("utf-8", "replace"))[:_SHOWN]
            for name, value in zip(self._log.columns, fields, strict=True)
        }
        status = named["status"]
        path = named.get("uri") or named.get("path", "")
        return {
            "t": _ended_s(named, now_s),
            "kind": "log",
            "unit": _UNITS[self._log.service],
            "priority": 4 if status.startswith("5") else 6,
            "message": f"{named['method']} {path.partition('?')[0]} {status}",
            "fields": {"service": self._log.service, **named},
        }


def _ended_s(named: dict[str, str], now_s: float) -> float:
    try:
        return float(named["ended_s"]) if "ended_s" in named else int(named["ended_ms"]) / 1000
    except (ValueError, KeyError):
        return now_s
