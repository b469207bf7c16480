"""From YAML events to a tree with places.

In: ruamel.yaml's events. Out: one node, or None for an empty file; faults that do not end the work in `.errors`.
Holds: depth and the number of values after alias expansion are bounded; an alias shares its branch, so a bomb is
counted without being unfolded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from bastide.spec.errors import Place, Related, SpecError
from bastide.spec.nodes import Entry, Mapping, Node, Scalar, Sequence

MAX_DEPTH = 32
MAX_NODES = 200_000
_STR_TAG = "tag:yaml.org,2002:str"
_HALF = re.compile(r"[\ud800-\udfff]")
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")


class Refused(Exception):
    """The reading ends here; `error` says why."""

    def __init__(self, error: SpecError) -> None:
        self.error = error
        super().__init__(error.message)


class Composer:
    """Builds the tree of one file."""

    def __init__(self, *, file: Path, lines: tuple[str, ...]) -> None:
        self.file = file
        self.lines = lines
        self.errors: list[SpecError] = []
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[int, tuple[int, int]] = {}  # id of a node → (values in it, depth below it)

    def compose(self, events: Iterator[Event]) -> Node | None:
        """The tree of the one document."""
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    hint = "remove the line with '---'; what differs by environment goes to an overlay file"
                    raise self._refuse("BST008", "a second YAML document begins", self._place(event), hint)
                root = self._node(next(events), events, depth=1)
            elif isinstance(event, StreamEndEvent):
                break
        return None if isinstance(root, Scalar) and root.empty else root

    def _node(self, event: Event, events: Iterator[Event], *, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._refuse("BST007", f"nested more than {MAX_DEPTH} levels deep", self._place(event))
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        self._check_tag(event)
        if isinstance(event, MappingStartEvent):
            node: Node = self._mapping(event, events, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            node = self._scalar(event)
            self._sizes[id(node)] = (1, 1)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[str(anchor)] = node
        return node

    def _alias(self, event: AliasEvent, depth: int) -> Node:
        node = self._anchors.get(str(event.anchor))
        if node is None:
            hint = "an anchor (`&name`) is written before its first use, and does not hold itself"
            raise self._refuse("BST008", f"no anchor is called '{event.anchor}'", self._place(event), hint)
        if depth + self._sizes[id(node)][1] > MAX_DEPTH:
            raise self._refuse("BST007", f"aliases nest more than {MAX_DEPTH} levels deep", self._place(event))
        return node

    def _scalar(self, event: Event) -> Scalar:
        if not isinstance(event, ScalarEvent):
            raise self._refuse("BST003", "the YAML cannot be read from here on", self._place(event))
        text = self._clean(str(event.value), event)
        plain = event.style is None and _tag(event) != _STR_TAG
        empty = plain and text == ""
        return Scalar(value=_resolve(text) if plain else text, text=text, at=self._place(event), empty=empty)

    def _clean(self, text: str, event: Event) -> str:
        """Escapes can write what no text holds: NUL, and halves of a surrogate pair (JSON writes whole pairs)."""
        if not _NO_TEXT.search(text):
            return text
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\0" in whole or _HALF.search(text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")):
            hint = "remove the escape, `\\0` or `\\ud…`"
            self._note("BST003", "an escape stands for no character of text", self._place(event), hint)
        return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def _sequence(self, event: Event, events: Iterator[Event], depth: int) -> Sequence:
        items: list[Node] = []
        size = below = 1
        for item in events:
            if isinstance(item, SequenceEndEvent):
                break
            items.append(self._node(item, events, depth=depth + 1))
            size, below = self._count(items[-1], size, below, item)
        node = Sequence(items=tuple(items), at=self._place(event))
        self._sizes[id(node)] = (size, below + 1)
        return node

    def _mapping(self, event: Event, events: Iterator[Event], depth: int) -> Mapping:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        size = below = 1
        for key_event in events:
            if isinstance(key_event, MappingEndEvent):
                break
            key_at = self._place(key_event)
            key_node = self._node(key_event, events, depth=depth + 1)
            value_event = next(events)
            value = self._node(value_event, events, depth=depth + 1)
            size, below = self._count(value, size, below, value_event)
            if not isinstance(key_node, Scalar) or key_node.empty:
                self._note("BST008", "a key must be text", key_at, "write `key: value`")
                continue
            key = key_node.text
            if key == "<<" and getattr(key_event, "style", None) is None:
                self._merge(merged, value, value_event)
            elif key in own:
                self._duplicate(key, own[key].key_at, key_at)
            else:
                own[key] = Entry(key_at=key_at, node=value)
        entries = own | {key: entry for key, entry in merged.items() if key not in own}
        node = Mapping(entries=MappingProxyType(entries), at=self._place(event))
        self._sizes[id(node)] = (size, below + 1)
        return node

    def _merge(self, merged: dict[str, Entry], value: Node, event: Event) -> None:
        """`<<: *defaults` or `<<: [*one, *other]`: earlier ones win, as YAML's merge key says."""
        for source in value.items if isinstance(value, Sequence) else (value,):
            if isinstance(source, Mapping):
                for key, entry in source.entries.items():
                    merged.setdefault(key, entry)
            else:
                self._note("BST008", "'<<' merges mappings only", self._place(event), "write `<<: *anchor`")

    def _count(self, node: Node, size: int, below: int, event: Event) -> tuple[int, int]:
        inner_size, inner_below = self._sizes[id(node)]
        if size + inner_size > MAX_NODES:
            message = f"more than {MAX_NODES:,} values, aliases unfolded"
            raise self._refuse("BST007", message, self._place(event))
        return size + inner_size, max(below, inner_below)

    def _check_tag(self, event: Event) -> None:
        tag = _tag(event)
        if tag and tag not in (_STR_TAG, "!"):
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self._note("BST008", f"the tag '{written}' is not supported", self._place(event), "remove the tag")

    def _duplicate(self, key: str, first: Place, second: Place) -> None:
        related = Related(
            file=first.file,
            line=first.line,
            column=first.column,
            length=first.length,
            label="first defined here",
            excerpt=self._line(first),
        )
        self._note("BST004", f"the key '{key}' is given twice", second, "keep one of the two", related)

    def _note(self, code: str, message: str, at: Place, hint: str | None, related: Related | None = None) -> None:
        self.errors.append(self._error(code, message, at, hint, related))

    def _refuse(self, code: str, message: str, at: Place, hint: str | None = None) -> Refused:
        return Refused(self._error(code, message, at, hint, None))

    def _error(self, code: str, message: str, at: Place, hint: str | None, related: Related | None) -> SpecError:
        return SpecError(
            code=code,
            message=message,
            hint=hint,
            file=at.file,
            line=at.line,
            column=at.column,
            length=at.length,
            related=related,
            excerpt=self._line(at),
        )

    def _line(self, at: Place) -> str:
        return self.lines[at.line - 1] if 0 < at.line <= len(self.lines) else ""

    def _place(self, event: Event) -> Place:
        start, end = event.start_mark, event.end_mark
        line = start.line + 1
        text = self.lines[start.line] if start.line < len(self.lines) else ""
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            length = len(text.rstrip()) - start.column
        elif start.line == end.line:
            length = end.column - start.column
        else:
            length = len(text.rstrip()) - start.column
        more = max(0, end.line - start.line - (1 if end.column == 0 else 0))
        return Place(file=self.file, line=line, column=start.column + 1, length=max(1, length), more=more)


def _tag(event: Event) -> str:
    tag = getattr(event, "tag", None)
    return "" if tag is None else str(tag)


def _resolve(text: str) -> bool | int | str | None:
    """A plain scalar by YAML 1.2's core schema, but for fractions, which stay as they were written."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    return text
