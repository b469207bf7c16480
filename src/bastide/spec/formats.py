"""Faults of a spec for programs.

In: faults. Out: one JSON document, or the lines by which GitHub marks places of a pull request.
Holds: the excerpts were masked before; nothing else of the file is in here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bastide.spec.codes import CODES
from bastide.spec.errors import Related, SpecError


def format_json(errors: Sequence[SpecError], *, relative_to: Path | None = None) -> str:
    """`version`, and one entry a fault; lines and columns count from 1, `end_column` is the first one behind."""
    document = {
        "version": 1,
        "errors": sum(error.severity == "error" for error in errors),
        "warnings": sum(error.severity == "warning" for error in errors),
        "faults": [_fault(error, relative_to) for error in errors],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _fault(error: SpecError, folder: Path | None) -> dict[str, Any]:
    return {
        "severity": error.severity,
        "code": error.code,
        "title": CODES[error.code].title,
        "message": error.message,
        "hint": error.hint,
        **_place(error, folder),
        "related": error.related and {"label": error.related.label, **_place(error.related, folder)},
    }


def _place(at: SpecError | Related, folder: Path | None) -> dict[str, Any]:
    known = at.line > 0
    return {
        "file": str(_short(at.file, folder)),
        "line": at.line if known else None,
        "column": at.column if known else None,
        "end_column": at.column + at.length if known else None,
        "excerpt": at.excerpt if known else None,
    }


def format_github(errors: Sequence[SpecError], *, relative_to: Path | None = None) -> str:
    """One workflow command a fault: GitHub shows it at its line of the pull request."""
    return "".join(f"{_command(error, relative_to)}\n" for error in errors)


def _command(error: SpecError, folder: Path | None) -> str:
    fields = {"file": str(_short(error.file, folder))}
    if error.line:
        fields |= {"line": str(error.line), "col": str(error.column), "endColumn": str(error.column + error.length)}
    fields["title"] = f"{error.code}: {CODES[error.code].title}"
    told = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    return f"::{error.severity} {told}::{_message(error.message + (f'; {error.hint}' if error.hint else ''))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _short(file: Path, folder: Path | None) -> Path:
    return file.relative_to(folder) if folder is not None and file.is_relative_to(folder) else file
