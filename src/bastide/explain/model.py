"""An explanation, before it has a form.

In: nothing; these are values. Out: `Explanation` and `Story`.
Holds: texts are Markdown of the simplest kind (code, bold, no links), complete sentences; a name is unique in a story.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bastide.audit.judge import Finding
from bastide.policy.cutsets import Loss
from bastide.spec.model import Spec
from bastide.topology.model import Topology

Kind = Literal[
    "host",
    "tier",
    "service",
    "flow",
    "zone",
    "address",
    "authority",
    "certificate",
    "secret",
    "data",
    "code",
    "rule",
]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is explained."""

    spec: Spec
    """With every address."""
    topology: Topology
    real: bool
    """Whether the addresses are those of machines; else they only stand for some, and are not told."""
    findings: tuple[Finding, ...] = ()
    """What audit finds in this design."""
    on_servers: tuple[Finding, ...] = ()
    """What it would find besides if the hosts were servers of the user's own."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One element: why it is there, what it talks to, how that is protected, what happens when it dies."""

    kind: Kind
    name: str
    """What a user types after `explain`."""
    title: str
    why: str
    talks: tuple[str, ...] = ()
    talks_title: str = "Talks"
    protection: tuple[str, ...] = ()
    dies: tuple[str, ...] = ()
    dies_title: str = "If it dies"
    remains: tuple[str, ...] = ()
    """What audit finds about it, and what would remove that."""
    remains_title: str = "What remains"
    loss: Loss | None = None
    """What its loss stops, where that can be said."""
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows below a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One part of the story."""

    title: str
    paragraphs: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """In this order."""
    points: tuple[str, ...] = ()
    """In no order."""
    table: Table | None = None
    elements: tuple[Explanation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Story:
    """The whole infrastructure."""

    title: str
    chapters: tuple[Chapter, ...]

    def elements(self) -> Iterator[Explanation]:
        """Every element that has a place of its own in the story."""
        for chapter in self.chapters:
            yield from chapter.elements
