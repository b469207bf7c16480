"""A picture of an infrastructure: what is drawn, and where.

In: nothing; these are values. Out: `Picture`.
Holds: coordinates are whole pixels; every host of the topology is in exactly one card or one stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bastide.topology.model import Flow, Zone


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A rectangle."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> int:
        """Half its height down."""
        return self.y + self.height // 2

    def grown(self, by: int) -> Box:
        """The same, larger on every side."""
        return Box(x=self.x - by, y=self.y - by, width=self.width + 2 * by, height=self.height + 2 * by)

    def overlaps(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def contains(self, other: Box) -> bool:
        """Whether the other is wholly inside."""
        return self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A tier, as a band from top to bottom."""

    zone: Zone
    heading: str
    box: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """A service in its host's card."""

    product: str
    unit: str
    label: str
    """As it fits."""
    box: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """An opening in a host's wall: one port that some peer may reach."""

    label: str
    """The port, or the protocol's name where it has none."""
    flows: tuple[str, ...]
    why: tuple[str, ...]
    box: Box
    encrypted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A host, with its wall around it."""

    host: str
    name: str
    """As it fits."""
    note: str
    """Its address, and roles that its place does not tell, as they fit."""
    address: str
    roles: tuple[str, ...]
    box: Box
    wall: Box
    chips: tuple[Chip, ...]
    hidden: tuple[str, ...]
    """Products that every host runs, or that have no room: they are in the panel, not in the card."""
    gates: tuple[Gate, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pip:
    """One host of a stack."""

    host: str
    address: str
    box: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """What is too many to draw one by one."""

    name: str
    """Stable, such as `web`."""
    title: str
    note: str
    roles: tuple[str, ...]
    hosts: tuple[str, ...]
    box: Box
    wall: Box
    pips: tuple[Pip, ...]
    """One for each host, or none where they are too many for that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """A flow between two cards or stacks."""

    name: str
    """Such as `lb1-web1`."""
    sources: tuple[str, ...]
    """Hosts; none for the internet."""
    targets: tuple[str, ...]
    path: str
    """SVG path data, in the direction of a request."""
    strength: Literal["main", "standby", "faint"]
    tip: str
    """Path data of the arrow's head."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """A flow with its edges, and the padlock that says how it is protected."""

    flow: Flow
    edges: tuple[Edge, ...]
    badge: Box | None
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chit:
    """A small thing that sits on one host and may move to another: the virtual address, the crown."""

    host: str
    box: Box
    label: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """All of it."""

    name: str
    width: int
    height: int
    domain: str
    """As it fits below the cloud."""
    cloud: Box
    columns: tuple[Column, ...]
    strip: Box | None
    """Where monitors and witnesses stand."""
    cards: tuple[Card, ...]
    stacks: tuple[Stack, ...]
    conversations: tuple[Conversation, ...]
    virtual_ip: Chit | None
    crown: Chit | None
    legend: Box
    """Where the meaning of signs is told: in what the strip has free, or below everything."""

    def boxes(self) -> Iterator[tuple[str, Box]]:
        """Every wall, by the name of its host or stack."""
        for card in self.cards:
            yield card.host, card.wall
        for stack in self.stacks:
            yield f"stack {stack.name}", stack.wall
