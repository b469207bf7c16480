"""An overlay laid over a spec.

In: two trees. Out: one tree, each part of which still knows the file it came from.
Holds: mappings merge; lists and single values replace; `null` in the overlay removes the key, so that its default
holds again. A value that was never written in the base may be "removed" too: the overlay fits several bases.
"""

from __future__ import annotations

from types import MappingProxyType

from bastide.spec.nodes import Entry, Mapping, Node, Scalar


def merge_overlay(base: Mapping, over: Mapping) -> Mapping:
    """`base` with `over` laid on top."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        if _removes(entry.node):
            entries.pop(key, None)
            continue
        below = entries.get(key)
        if below is not None and isinstance(below.node, Mapping) and isinstance(entry.node, Mapping):
            entries[key] = Entry(key_at=below.key_at, node=merge_overlay(below.node, entry.node))
        else:
            entries[key] = Entry(key_at=entry.key_at, node=_without_nulls(entry.node))
    return Mapping(entries=MappingProxyType(entries), at=base.at)


def _removes(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.empty


def _without_nulls(node: Node) -> Node:
    if not isinstance(node, Mapping):
        return node
    kept = {
        key: Entry(key_at=entry.key_at, node=_without_nulls(entry.node))
        for key, entry in node.entries.items()
        if not _removes(entry.node)
    }
    return Mapping(entries=MappingProxyType(kept), at=node.at)
