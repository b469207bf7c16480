"""Errors of a spec, as values.

In: what a check found, and where. Out: `SpecError`, ready to be shown by `report.py`.
Holds: an error carries the source line it speaks of, so whoever shows it needs no file; a line and column count
from 1, and line 0 stands for a file as a whole.

    SpecInvalid       the spec cannot be used; `.errors` holds every reason
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]
"""error: the spec cannot be used; warning: it can, and part of it hardly means what it says."""
Keys = tuple[str | int, ...]
"""Where a value stands in the spec: `("hosts", "web1", "roles", 0)`."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A stretch of one line of a file."""

    file: Path
    line: int = 0
    """From 1; 0 for the file as a whole."""
    column: int = 0
    """From 1, in characters."""
    length: int = 1
    """Characters to underline; at least 1."""
    more: int = 0
    """Further lines that the value covers."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a check found, by the place in the spec rather than in a file."""

    path: Keys
    code: str
    message: str
    hint: str | None = None
    at: Literal["value", "key"] = "value"
    """What to underline."""
    related: Keys | None = None
    """The other half of a contradiction."""
    related_label: str = ""
    severity: Severity = "error"
    line: int | None = None
    """Which line of a text of several lines is meant, from 0."""
    word: str = ""
    """Which word of that line."""


@dataclass(frozen=True, kw_only=True)
class Related:
    """A second place that explains an error, such as "first defined here"."""

    file: Path
    line: int
    column: int
    length: int = 1
    label: str
    excerpt: str = ""
    """The source line."""


@dataclass(frozen=True, kw_only=True)
class SpecError:
    """One fault of a spec file."""

    code: str
    """Stable; explained by `codes.py`."""
    message: str
    """What is wrong, in one sentence without a full stop."""
    file: Path
    line: int = 0
    column: int = 0
    length: int = 1
    hint: str | None = None
    """What to do about it."""
    related: Related | None = None
    excerpt: str = ""
    """The source line."""
    severity: Severity = "error"


def in_order(errors: Iterable[SpecError]) -> tuple[SpecError, ...]:
    """Each once, by file and position."""
    return tuple(sorted(dict.fromkeys(errors), key=lambda e: (str(e.file), e.line, e.column, e.code, e.message)))


class SpecInvalid(Exception):
    """The spec cannot be used. `errors` holds every fault, warnings included, sorted by file and position."""

    def __init__(self, errors: tuple[SpecError, ...]) -> None:
        self.errors: tuple[SpecError, ...] = in_order(errors)
        super().__init__(f"{len(self.errors)} errors in the spec")

    def __str__(self) -> str:
        return "; ".join(f"{e.file}:{e.line}:{e.column}: {e.code}: {e.message}" for e in self.errors)


def dotted(path: Keys) -> str:
    """`hosts.web1.roles.0`: how a place in the spec is written in one word."""
    return ".".join(str(part) for part in path)
