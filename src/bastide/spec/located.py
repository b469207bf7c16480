"""From a place in the spec to a place in a file.

In: the merged tree and the files it came from. Out: `SpecError`s with the source line in them.
Holds: a secret that somebody wrote into the spec, where a reference belongs, is masked in every line that is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bastide.spec.checks.likely import SECRET_WORDS
from bastide.spec.errors import Fault, Keys, Place, Related, SpecError
from bastide.spec.nodes import Mapping, Node, Scalar, Sequence, locate_node
from bastide.spec.source import Document

_ENVIRONMENT: Keys = ("app", "environment")
_SECRETS: tuple[Keys, ...] = (("database", "password"), ("app", "secrets"))
_BLOCK = re.compile(r"(&\S+\s+)?[|>]")
"""A text in YAML's block style begins on the next line."""
_REFERENCES = ("generate", "file", "env")


@dataclass(frozen=True)
class Listing:
    """The source, to point into."""

    root: Mapping
    documents: tuple[Document, ...]

    def locate(self, fault: Fault) -> SpecError:
        """The fault as an error of a file."""
        at = self._place(fault.path, key=fault.at == "key")
        if fault.line is not None:
            at = self._line_of_text(fault, at)
        related: Related | None = None
        if fault.related is not None:
            other = self._place(fault.related, key=False)
            related = Related(
                file=other.file,
                line=other.line,
                column=other.column,
                length=other.length,
                label=fault.related_label,
                excerpt=self._line(other.file, other.line),
            )
        return SpecError(
            code=fault.code,
            message=fault.message,
            hint=fault.hint,
            file=at.file,
            line=at.line,
            column=at.column,
            length=at.length,
            related=related,
            excerpt=self._line(at.file, at.line),
            severity=fault.severity,
        )

    def redacted(self, error: SpecError) -> SpecError:
        """The same error, with no secret in the lines it shows. Underlines keep their place."""
        related = error.related
        if related is not None:
            related = replace(related, excerpt=self._mask(related.excerpt, related.file, related.line))
        return replace(error, excerpt=self._mask(error.excerpt, error.file, error.line), related=related)

    def _place(self, path: Keys, *, key: bool) -> Place:
        node, key_at, found = locate_node(self.root, path)
        if found < len(path):  # missing: point at the section that should hold it
            return key_at or replace(node.at, length=1)
        if key_at is not None and (key or not isinstance(node, Scalar) or node.empty):
            return key_at
        return node.at

    def _line_of_text(self, fault: Fault, at: Place) -> Place:
        """A line of a text of several lines. Where YAML folded the text, the nearest line that holds it."""
        node, _, found = locate_node(self.root, fault.path)
        if not isinstance(node, Scalar) or found < len(fault.path) or not isinstance(node.value, str):
            return at
        lines = node.value.splitlines()
        wanted = lines[fault.line].strip() if fault.line is not None and fault.line < len(lines) else ""
        block = _BLOCK.match(self._line(at.file, at.line)[at.column - 1 :]) is not None
        first = at.line + 1 + (fault.line or 0) if block else at.line
        near = (first, *range(at.line, at.line + at.more + 1))
        for number in near:
            text = self._line(at.file, number)
            if wanted and (wanted in text or (number > at.line and text.strip() and text.strip() in wanted)):
                shown = fault.word if fault.word and fault.word in text else text.strip()
                shown = shown if number > at.line or fault.word in text else wanted
                start = text.find(shown, at.column - 1 if number == at.line else 0)
                return replace(at, line=number, column=max(start, 0) + 1, length=max(1, len(shown)), more=0)
        return at

    def _line(self, file: Path, line: int) -> str:
        for document in self.documents:
            if document.file == file and 0 < line <= len(document.lines):
                return document.lines[line - 1]
        return ""

    def _mask(self, text: str, file: Path, line: int) -> str:
        for place in self._secret_places:
            if place.file == file and place.line == line:
                start = place.column - 1
                text = text[:start] + "*" * place.length + text[start + place.length :]
            elif place.file == file and place.line < line <= place.line + place.more:
                text = "*" * len(text)
        return text

    @cached_property
    def _secret_places(self) -> tuple[Place, ...]:
        found: list[Place] = []
        for document in self.documents:
            for path in _SECRETS:
                node, _, depth = locate_node(document.root, path)
                if depth == len(path):
                    secrets = [node]
                    if path[-1] == "secrets" and isinstance(node, Mapping):
                        secrets = [entry.node for entry in node.entries.values()]
                    found.extend(scalar.at for secret in secrets for scalar in _literal_values(secret))
            found.extend(_pasted(document.root))
        return tuple(found)


def _pasted(root: Mapping) -> Iterator[Place]:
    """Values of ordinary variables whose name says that they are none."""
    variables, _, depth = locate_node(root, _ENVIRONMENT)
    if depth == len(_ENVIRONMENT) and isinstance(variables, Mapping):
        for name, entry in variables.entries.items():
            if SECRET_WORDS.search(name) and isinstance(entry.node, Scalar):
                yield entry.node.at


def _literal_values(node: Node) -> Iterator[Scalar]:
    """Values inside a secret that are no references: what a user may have pasted."""
    if isinstance(node, Scalar):
        if node.value is not None:
            yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _literal_values(item)
    else:
        for key, entry in node.entries.items():
            if key not in _REFERENCES or not isinstance(entry.node, Scalar):
                yield from _literal_values(entry.node)
