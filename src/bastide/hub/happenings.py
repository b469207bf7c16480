"""What happened lately, for those who watch.

In: events as they are stored. Out: those after a mark; which units are failed now.
Holds: bounded; a mark of before our start gets everything that is kept, so that a watcher who reconnects misses
nothing that is still there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bastide.hub.records import Record

KEPT = 500
MAX_FAILED = 50
FAILED_S = 3600.0
"""A unit that was given up, or removed, is never started again: its failure is news for this long. What still is
failed then is the alerts' to tell, which look at states."""


class Happenings:
    """The newest events."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._count = 0
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT)
        self._failed: dict[str, dict[str, float]] = {}

    @property
    def mark(self) -> str:
        """After the newest event."""
        return f"{self._boot}-{self._count}"

    def note(self, records: Iterable[Record]) -> None:
        """Events that were stored."""
        for record in records:
            if record.kind != "event":
                continue
            self._count += 1
            self._events.append((self._count, record.to_json()))
            self._units(record)

    def since(self, mark: str) -> list[dict[str, Any]]:
        """Events after a mark, the oldest first."""
        boot, _, number = mark.partition("-")
        after = int(number) if boot == self._boot and number.isdecimal() and len(number) < 16 else 0
        return [event for count, event in self._events if count > after]

    def failed_units(self, now: float) -> Mapping[str, Sequence[str]]:
        """By host: units that failed within the last hour and were not started since."""
        return {
            host: sorted(unit for unit, t in units.items() if now - t < FAILED_S)
            for host, units in self._failed.items()
        }

    def _units(self, record: Record) -> None:
        unit = record.fields.get("unit")
        if not isinstance(unit, str):
            return
        units = self._failed.setdefault(record.host, {})
        if record.unit == "unit-failed" and (unit in units or len(units) < MAX_FAILED):
            units[unit] = record.t
        elif record.unit == "unit-started" and record.t >= units.get(unit, 0.0):
            units.pop(unit, None)
