"""The tree of a YAML file: plain values that remember where they stand.

In: nothing. Out: `Scalar`, `Sequence`, `Mapping` (`source.py` makes them, `overlay.py` merges them).
Holds: trees are immutable, so an alias may share a branch; keys are text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from bastide.spec.errors import Keys, Place

Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """One value. Numbers with a fraction stay text: no field of a spec is a bare fraction."""

    value: bool | int | str | None
    text: str
    """As written, without quotes; a key is always this."""
    at: Place
    empty: bool = False
    """Nothing at all was written (`key:`), which is not the same as `key: null`."""


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    at: Place


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of a mapping, with its value."""

    key_at: Place
    node: Node


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """Keys and values, in the order of the file."""

    entries: MappingProxyType[str, Entry] = field(default_factory=lambda: MappingProxyType({}))
    at: Place


Node = Scalar | Sequence | Mapping


def to_plain(node: Node) -> Plain:
    """The values alone."""
    if isinstance(node, Mapping):
        return {key: to_plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [to_plain(item) for item in node.items]
    return node.value


def locate_node(root: Mapping, path: Keys) -> tuple[Node, Place | None, int]:
    """The deepest node on `path`, the place of its key if it has one, and how many parts of the path led there."""
    node: Node = root
    key_at: Place | None = None
    for depth, part in enumerate(path):
        if isinstance(node, Mapping) and part in node.entries:
            entry = node.entries[str(part)]
            node, key_at = entry.node, entry.key_at
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node, key_at = node.items[part], None
        else:
            return node, key_at, depth
    return node, key_at, len(path)
