"""The specs that `bastide init` writes.

In: the name of a preset and of the new project. Out: the text of a commented spec.
Holds: both presets load, and stand for the two poles of a design: as it is first drawn, and without a flaw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from bastide.spec.values import NAME_HINT, NAME_PATTERN, BadValue

PRESETS = ("whiteboard", "resilient")
_PLACEHOLDER = "PROJECT"


def preset_text(name: str, project_name: str) -> str:
    """The preset's YAML for this project. Raises BadValue when the name cannot be a project's, ValueError for an
    unknown preset."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset '{name}'; there are {', '.join(PRESETS)}")
    if not re.fullmatch(NAME_PATTERN.removesuffix("$"), project_name):
        raise BadValue("BST020", f"'{project_name}' is not a name", NAME_HINT)
    text = files("bastide.spec").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")
    return text.replace(_PLACEHOLDER, project_name)


def starter_files() -> dict[str, str]:
    """Texts of the small application that both presets name, by path: `app/…` and `static/…`."""
    root = files("bastide.spec").joinpath("presets", "starter")
    return dict(_texts(root, ""))


def _texts(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _texts(entry, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name, entry.read_text(encoding="utf-8")
