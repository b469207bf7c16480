"""Where each value of a loaded spec comes from.

In: the Spec and the tree that it was made of. Out: an `Origin` for each dotted path.
Holds: every value of the Spec has one; what no file says is a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastide.spec.errors import Keys, dotted
from bastide.spec.model import Spec
from bastide.spec.nodes import Mapping, locate_node


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value stands, or that it is a default."""

    file: Path | None = None
    """None for a default."""
    line: int = 0
    column: int = 0

    @property
    def is_default(self) -> bool:
        """Whether no file says this value."""
        return self.file is None

    def __str__(self) -> str:
        return "default" if self.file is None else f"{self.file.name}:{self.line}"


def trace_origins(spec: Spec, root: Mapping) -> dict[str, Origin]:
    """An origin for every key and item of the spec, by dotted path."""
    origins: dict[str, Origin] = {}
    _trace(spec.model_dump(mode="json", by_alias=True), (), root, origins)
    return origins


def _trace(value: Any, path: Keys, root: Mapping, origins: dict[str, Origin]) -> None:
    if path:
        node, key_at, found = locate_node(root, path)
        at = key_at or node.at
        known = found == len(path)
        origins[dotted(path)] = Origin(file=at.file, line=at.line, column=at.column) if known else Origin()
    if isinstance(value, dict):
        for key, inner in value.items():
            _trace(inner, (*path, key), root, origins)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _trace(inner, (*path, index), root, origins)
