"""A loaded spec with all its defaults, for people and for tools.

In: `LoadedSpec`. Out: YAML text, each line with where its value comes from if asked for; or plain JSON values.
Holds: durations and sizes are written as a spec would; the text loads again as the same spec; secrets are
references here as everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from bastide.spec.errors import Keys, dotted
from bastide.spec.load import LoadedSpec

_PLAIN = re.compile(r"[A-Za-z_./]([A-Za-z0-9_./@*+-]|:(?=[A-Za-z_]))*( [A-Za-z0-9_./@*+-]+)*")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_COMMENT_COLUMN = 40


def resolved_json(loaded: LoadedSpec) -> dict[str, Any]:
    """Every value of the spec, defaults included, as JSON has it."""
    document: dict[str, Any] = loaded.spec.model_dump(mode="json", by_alias=True)
    return document


def resolved_document(loaded: LoadedSpec, *, origins: bool) -> str:
    """YAML of every value, each with `# bastide.yaml:12` or `# default` behind it if `origins`."""
    lines: list[str] = []
    for text, path in _mapping(resolved_json(loaded), (), 0):
        origin = loaded.origins.get(dotted(path))
        note = f"  # {origin}" if origins and origin is not None else ""
        lines.append(f"{text:<{_COMMENT_COLUMN}}{note}" if note else text)
    return "\n".join(lines) + "\n"


def _mapping(value: dict[str, Any], path: Keys, indent: int) -> Iterator[tuple[str, Keys]]:
    for key, inner in value.items():
        at = (*path, key)
        lead = f"{' ' * indent}{_scalar(key)}:"
        if isinstance(inner, dict) and inner:
            yield lead, at
            yield from _mapping(inner, at, indent + 2)
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            yield lead, at
            yield from _items(inner, at, indent + 2)
        else:
            yield f"{lead} {inline_yaml(inner)}", at


def _items(value: list[Any], path: Keys, indent: int) -> Iterator[tuple[str, Keys]]:
    for index, item in enumerate(value):
        pairs = ", ".join(f"{_scalar(key)}: {inline_yaml(inner)}" for key, inner in item.items())
        yield f"{' ' * indent}- {{{pairs}}}", (*path, index)


def inline_yaml(value: Any) -> str:
    """A value on one line, as YAML."""
    if isinstance(value, list):
        return f"[{', '.join(inline_yaml(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {inline_yaml(inner)}" for key, inner in value.items()) + "}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """One value, in quotes only where YAML 1.1 or 1.2 would read something else without them."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return value if re.fullmatch(r"\d+(ms|[smhdkMG])", value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
