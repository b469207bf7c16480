"""Slow things that are worth an event: another generation, drift, renewed certificates.

In: the symlink of the live generation, and the record of the unit that may read every file (`drift`): which files
differ, and the fingerprint of every certificate among them. Out: event records without a number.
Holds: a new generation is looked through at once, by asking for that unit (it waits for a file to be written). The
first look tells nothing, only what changed since then; what was last seen is kept, so that a change while the agent
was down is told too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bastide.agent.events import make_event
from bastide.agent.ledger import read_record, write_record

ASKED = 5
"""How often it is asked for a generation that nobody looks through."""


class Watch:
    """What was last seen."""

    def __init__(self, *, current: Path, drift: Path, request: Path, state: Path):
        self._current = current
        self._drift = drift
        self._request = request
        self._certificates: dict[str, str] = {}
        self._asked = 0
        self._path = state / "watch.json"
        self._seen = read_record(self._path)
        self.drifted = 0

    def look(self, now_s: float) -> list[dict[str, Any]]:
        """What changed."""
        seen: dict[str, Any] = dict(self._seen)
        record = read_record(self._drift)
        found = [
            *self._generation(seen, now_s, record.get("generation")),
            *self._drifted(seen, now_s, record),
            *self._renewed(seen, now_s),
        ]
        if seen != self._seen:
            write_record(self._path, seen)
            self._seen = seen
        return found

    def _generation(self, seen: dict[str, Any], now_s: float, recorded: Any) -> Iterator[dict[str, Any]]:
        try:
            generation = Path(os.readlink(self._current)).name  # noqa: PTH115 (the link itself)
        except OSError:
            return
        before, seen["generation"] = seen.get("generation"), generation
        if before != generation:
            self._asked = 0
        # Again while the record is of another one: systemd forgets a request that comes while the unit runs.
        if before != generation or (recorded not in (None, generation) and self._asked < ASKED):
            self._asked += 1
            with contextlib.suppress(OSError):
                self._request.write_text(generation)
        if before not in (None, generation):
            yield make_event(
                now_s, "deploy", f"generation {generation[:12]} is live", priority=5, generation=generation,
                before=before,
            )  # fmt: skip

    def _drifted(self, seen: dict[str, Any], now_s: float, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            files, self.drifted = list(record["files"]), int(record["count"])
            self._certificates = {str(path): str(mark) for path, mark in record.get("certificates", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        before, seen["drift"] = seen.get("drift", []), files
        if files and files != before:
            names = ", ".join(files[:5]) + (" …" if self.drifted > 5 else "")
            yield make_event(
                now_s,
                "drift",
                f"{self.drifted} files are not as they were written: {names}",
                priority=4,
                files=files,
            )
        elif before and not files:
            yield make_event(now_s, "drift", "all files are as they were written again", files=[])

    def _renewed(self, seen: dict[str, Any], now_s: float) -> Iterator[dict[str, Any]]:
        known = seen.get("certificates", {})
        for path, fingerprint in self._certificates.items():
            if known.get(path, fingerprint) != fingerprint:
                yield make_event(
                    now_s, "certificate", f"{path} was renewed", priority=5, path=path, sha256=fingerprint
                )
        # One that is not there for a moment is not forgotten.
        seen["certificates"] = known | self._certificates
