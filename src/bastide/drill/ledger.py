"""What clients were told: every read with its latency, every write with its fate.

In: lines of the prober's `visits` and `writes`. Out: `Ledger`. Holds: times are the controller's clock (seconds since
1970); a write that was not answered is `unknown`, neither kept nor lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Fate = Literal["acknowledged", "refused", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One GET, as its visitor saw it."""

    due: float
    """When it was asked."""
    ended: float
    said: int | str
    """Status, or the kind of failure."""
    retried: bool
    """Asked again on a new connection, as browsers do."""

    @property
    def ok(self) -> bool:
        """Whether the visitor got the page."""
        return isinstance(self.said, int) and 200 <= self.said < 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """One row."""

    id: int
    fate: Fate
    began: float
    ended: float
    tries: int
    read_again: bool | None
    """Whether its writer saw it at once; None where it was not asked or gave no answer."""

    @property
    def ok(self) -> bool:
        """Whether it was acknowledged."""
        return self.fate == "acknowledged"


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Everything, in order of its end."""

    reads: tuple[Read, ...]
    writes: tuple[Write, ...]
    writing: bool
    """Whether there was a database to write to."""


def parse_reads(lines: Iterable[Sequence[Any]], offset: float = 0.0) -> tuple[Read, ...]:
    """Reads of a `visits` operation; `offset` is how far the host's clock is ahead of ours."""
    found = [Read(due=d - offset, ended=e - offset, said=s, retried=r) for d, e, s, r in lines]
    return tuple(sorted(found, key=lambda read: read.ended))


def parse_writes(lines: Iterable[Any], offset: float = 0.0) -> tuple[Write, ...]:
    """Writes of a recorder; its other lines are left out."""
    found = [
        Write(id=i, fate=f, began=b - offset, ended=e - offset, tries=t, read_again=a)
        for i, f, b, e, t, a in (line for line in lines if isinstance(line, list) and len(line) == 6)
    ]
    return tuple(sorted(found, key=lambda write: write.ended))
