"""Faults of a spec on the terminal, for a program, or as remarks in a pull request.

In: faults and the format that the user chose. Out: text on stderr or stdout.
Holds: when a spec cannot be used, its faults are the verb's result: `json` and `github` go to stdout. Warnings of a
spec that can be used never mix with what the verb prints: they go to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bastide.spec.errors import SpecError
from bastide.spec.formats import format_github, format_json
from bastide.spec.report import format_errors

Format = Literal["text", "json", "github"]


class SpecRefused(Exception):
    """A spec that cannot be used, and how that is to be told."""

    def __init__(self, errors: tuple[SpecError, ...], format: Format) -> None:
        self.errors = errors
        self.format = format
        super().__init__(f"{len(errors)} faults in the spec")


def tell_faults(errors: Sequence[SpecError], format: Format, *, usable: bool) -> None:
    """Print them, if there are any."""
    if not errors:
        return
    here = Path.cwd()
    if format == "text":
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        colour = console.is_terminal and not console.no_color
        print(format_errors(errors, colour=colour, relative_to=here), file=sys.stderr, end="")
        return
    text = (format_json if format == "json" else format_github)(errors, relative_to=here)
    print(text, file=sys.stderr if usable else sys.stdout, end="")
