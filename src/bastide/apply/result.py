"""What an apply led to, host by host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["changed", "unchanged", "failed", "undone", "stale", "not_reached"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HostResult:
    """One host."""

    host: str
    outcome: Outcome
    """not_reached: nothing was changed here, because something failed before its turn. undone: it had changed, and its
    previous generation is back, because another host of its batch failed or the service got worse. stale: it was away,
    another host stands in for it, and the next apply brings it along."""
    changes: int = 0
    digest: str = ""
    """Generation that is live now, as far as is known."""
    phase: str = ""
    """Where it failed: `connect`, `compare`, `lease`, `stage`, `check`, `activate`, `drain`, `health` or `confirm`."""
    message: str = ""
    lines: tuple[str, ...] = ()
    hint: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyResult:
    """All hosts of one apply."""

    hosts: Mapping[str, HostResult]
    interrupted: bool = False
    """Someone pressed Ctrl-C; what was being activated was brought to its end."""
    number: int = 0
    """Of this apply in the history of its hosts; 0 when nothing was begun, or of a rollback."""

    @property
    def changes(self) -> int:
        """Changes that were made."""
        return sum(h.changes for h in self.hosts.values() if h.outcome == "changed")

    @property
    def stale(self) -> tuple[str, ...]:
        """Hosts that were away and are behind now."""
        return tuple(h.host for h in self.hosts.values() if h.outcome == "stale")

    @property
    def ok(self) -> bool:
        """Whether every host is as it should be, but for those that were allowed to be away."""
        return not self.interrupted and all(
            h.outcome in ("changed", "unchanged", "stale") for h in self.hosts.values()
        )


def result_json(result: ApplyResult) -> dict[str, object]:
    """`bastide apply --json`."""
    return {
        "version": 1,
        "ok": result.ok,
        "changes": result.changes,
        "number": result.number,
        "hosts": [
            {
                "name": h.host,
                "changes": h.changes,
                "result": h.outcome,
                "generation": h.digest,
                "phase": h.phase,
                "message": h.message,
                "lines": list(h.lines),
                "seconds": round(h.seconds, 3),
            }
            for h in result.hosts.values()
        ],
    }
