"""Editing a spec where it stands: a value is replaced, a key is added, everything else stays as it was.

In: a read file and edits. Out: its new text. Raises CannotEdit where the place is written in a way that an edit would
change more than it should (an alias, a text over several lines).
Holds: no line is touched but those of the value itself; comments, order and spelling stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bastide.audit.rule import AddHosts, SetValue
from bastide.spec.errors import Keys, dotted
from bastide.spec.model import Spec
from bastide.spec.nodes import Mapping, Node, Scalar, Sequence, locate_node
from bastide.spec.parts import Role
from bastide.spec.source import Document

_PREFIXES: dict[Role, str] = {
    "balancer": "lb",
    "web": "web",
    "app": "app",
    "database": "db",
    "monitor": "monitor",
    "witness": "witness",
}
_CLOSING = {"[": "]", "{": "}"}


class CannotEdit(Exception):
    """The place is written in a way that only its author should change."""


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place between two characters: line and column, both from 0."""

    line: int
    column: int


def expand_hosts(edit: AddHosts, spec: Spec) -> tuple[SetValue, ...]:
    """New hosts as values of the spec, with names that are free."""
    roles = ", ".join((edit.role, *edit.also))
    names = (f"{_PREFIXES[edit.role]}{number}" for number in range(1, len(spec.hosts) + edit.count + 1))
    free = [name for name in names if name not in spec.hosts]
    return tuple(SetValue(path=("hosts", name), yaml=f"{{roles: [{roles}]}}") for name in free[: edit.count])


def set_value(document: Document, edit: SetValue) -> str:
    """The file's text with that value. Raises CannotEdit."""
    lines = list(document.lines)
    node, key_at, found = locate_node(document.root, edit.path)
    if found == len(edit.path):
        if key_at is not None and (node.at.line, node.at.column) < (key_at.line, key_at.column):
            raise CannotEdit(f"{dotted(edit.path)} is an alias")
        _replace(lines, node, _Spot(key_at.line - 1, key_at.column - 1) if key_at else None, edit)
    elif isinstance(node, Mapping) and all(isinstance(part, str) for part in edit.path[found:]):
        _insert(lines, node, edit.path[:found], edit.path[found:], edit.yaml, root=node is document.root)
    else:
        raise CannotEdit(f"{dotted(edit.path[:found])} holds something else")
    return "\n".join(lines)


def _replace(lines: list[str], node: Node, key: _Spot | None, edit: SetValue) -> None:
    start = _Spot(node.at.line - 1, node.at.column - 1)
    if isinstance(node, Scalar):
        if node.empty and key is not None:
            _after_colon(lines, key, edit.yaml)
        elif node.at.more or lines[start.line][start.column] in "&|>":
            raise CannotEdit(f"{dotted(edit.path)} is written over several lines")
        else:
            _splice(lines, start, _Spot(start.line, start.column + node.at.length), edit.yaml)
    elif _is_flow(lines, start):
        end = _closing(lines, start)
        _splice(lines, start, _Spot(end.line, end.column + 1), edit.yaml)
    elif key is None or lines[start.line][start.column] in "&*!":
        raise CannotEdit(f"{dotted(edit.path)} is written in a way that is not understood")
    else:
        del lines[start.line : _last_line(lines, node) + 1]
        _after_colon(lines, key, edit.yaml)


def _insert(lines: list[str], into: Mapping, at: Keys, rest: Keys, yaml: str, *, root: bool) -> None:
    start = _Spot(into.at.line - 1, into.at.column - 1)
    if _is_flow(lines, start):
        end = _closing(lines, start)
        inner = ": {".join(str(key) for key in rest) + f": {yaml}" + "}" * (len(rest) - 1)
        before = lines[end.line][: end.column].rstrip()
        comma = "" if before.endswith((*_CLOSING, ",")) or not before.strip() else ","
        gap = "" if before.endswith(tuple(_CLOSING)) else " "
        lines[end.line] = f"{before}{comma}{gap}{inner}{lines[end.line][end.column :]}"
        return
    own = [entry for entry in into.entries.values() if entry.key_at.line >= into.at.line]
    if not own or lines[start.line][start.column : start.column + 1] in ("&", "*"):
        raise CannotEdit(f"{dotted(at)} is written in a way that is not understood")
    indent = own[0].key_at.column - 1
    added = [f"{' ' * (indent + 2 * depth)}{key}:" for depth, key in enumerate(rest)]
    added[-1] += f" {yaml}"
    if root:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", *added, ""]
        return
    after = max(_last_line(lines, entry.node, entry.key_at.line - 1) for entry in own) + 1
    lines[after:after] = added


def _after_colon(lines: list[str], key: _Spot, yaml: str) -> None:
    match = re.compile(r"""("(\\.|[^"])*"|'[^']*'|[^:#]*)\s*:""").match(lines[key.line], key.column)
    if match is None:
        raise CannotEdit("the key is written in a way that is not understood")
    lines[key.line] = f"{lines[key.line][: match.end()]} {yaml}{lines[key.line][match.end() :]}"


def _splice(lines: list[str], start: _Spot, end: _Spot, text: str) -> None:
    lines[start.line : end.line + 1] = [lines[start.line][: start.column] + text + lines[end.line][end.column :]]


def _is_flow(lines: list[str], at: _Spot) -> bool:
    return lines[at.line][at.column : at.column + 1] in tuple(_CLOSING)


def _closing(lines: list[str], start: _Spot) -> _Spot:
    """Where the bracket that opens at `start` closes."""
    depth, quote = 0, ""
    for number in range(start.line, len(lines)):
        line = lines[number]
        column = start.column if number == start.line else 0
        while column < len(line):
            character = line[column]
            if quote:
                if character == "\\" and quote == '"':
                    column += 1
                elif character == quote:
                    quote = ""
            elif character in "\"'":
                quote = character
            elif character == "#" and (column == 0 or line[column - 1].isspace()):
                break
            elif character in "[{":
                depth += 1
            elif character in "]}":
                depth -= 1
                if depth == 0:
                    return _Spot(number, column)
            column += 1
    raise CannotEdit("a bracket is not closed")


def _last_line(lines: list[str], node: Node, least: int = 0) -> int:
    """Index of the last line that belongs to the node; `least` is that of its key, for an alias stands elsewhere."""
    at = _Spot(node.at.line - 1, node.at.column - 1)
    if at.line < least:
        return least
    if isinstance(node, Scalar):
        return at.line + node.at.more
    if _is_flow(lines, at):
        return _closing(lines, at).line
    if isinstance(node, Sequence):
        return max((_last_line(lines, item, at.line) for item in node.items), default=at.line)
    return max(
        (_last_line(lines, entry.node, entry.key_at.line - 1) for entry in node.entries.values()), default=at.line
    )
