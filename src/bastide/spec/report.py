"""Errors of a spec, as a person reads them.

In: errors. Out: text in the manner of rustc: what is wrong, where, the line with the place underlined, what to do.
Holds: needs no file; the errors carry their lines. Colour is the caller's decision.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bastide.spec.errors import SpecError

_WIDEST = 140
_TAB = "    "
_STYLES = {"bad": "1;31", "warning": "1;33", "frame": "1;34", "title": "1", "help": "1;36"}


def format_errors(errors: Sequence[SpecError], *, colour: bool, relative_to: Path | None = None) -> str:
    """The whole report, with a line that counts at its end. Files below `relative_to` are named from there."""
    blocks = ["\n".join(_block(_shortened(error, relative_to), colour)) for error in errors]
    files = len({error.file for error in errors})
    where = f" in {files} files" if files > 1 else ""
    # What keeps the spec from being used is what somebody wants to read about first.
    code = next((e.code for e in errors if e.severity == "error"), errors[0].code if errors else "")
    style = "bad" if any(e.severity == "error" for e in errors) else "warning"
    closing = _paint(f"{count_faults(errors)}{where}", style, colour)
    closing += f"; `bastide explain {code}` says more" if code else ""
    return "\n\n".join([*blocks, closing]) + "\n"


def count_faults(errors: Sequence[SpecError]) -> str:
    """`2 errors and 1 warning`."""
    counts = [(kind, sum(e.severity == kind for e in errors)) for kind in ("error", "warning")]
    told = [f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in counts if count]
    return " and ".join(told) or "0 errors"


def _shortened(error: SpecError, folder: Path | None) -> SpecError:
    def short(file: Path) -> Path:
        return file.relative_to(folder) if folder is not None and file.is_relative_to(folder) else file

    related = error.related and replace(error.related, file=short(error.related.file))
    return replace(error, file=short(error.file), related=related)


def _block(error: SpecError, colour: bool) -> Iterator[str]:
    style = "bad" if error.severity == "error" else "warning"
    yield _paint(f"{error.severity}[{error.code}]", style, colour) + _paint(
        f": {_visible(error.message)}", "title", colour
    )
    related = error.related
    width = len(str(max(error.line, related.line if related else 0)))
    margin = " " * width
    yield f"{margin}{_paint('-->', 'frame', colour)} {_where(error.file, error.line, error.column)}"
    if error.line:
        yield from _source(error.line, error.column, error.length, error.excerpt, "^", "", width, colour, style)
    if related is not None:
        place = _where(related.file, related.line, related.column)
        yield f"{margin}{_paint(':::', 'frame', colour)} {place}"
        yield from _source(
            related.line,
            related.column,
            related.length,
            related.excerpt,
            "-",
            related.label,
            width,
            colour,
            "frame",
        )
    if error.hint:
        frame = _paint("=", "frame", colour)
        yield f"{margin} {frame} {_paint('help', 'help', colour)}: {_visible(error.hint)}"


def _source(
    line: int, column: int, length: int, excerpt: str, mark: str, label: str, width: int, colour: bool, style: str
) -> Iterator[str]:
    bar = _paint("|", "frame", colour)
    number = _paint(f"{line:>{width}}", "frame", colour)
    before, marked, text = _window(excerpt, column - 1, length)
    underline = mark * max(1, _cells(marked))
    shown = _paint(f"{underline}{' ' + label if label else ''}", style, colour)
    yield f"{' ' * width} {bar}"
    yield f"{number} {bar} {text}".rstrip()
    yield f"{' ' * width} {bar} {' ' * _cells(before)}{shown}"


def _window(excerpt: str, start: int, length: int) -> tuple[str, str, str]:
    """The text before the mark, the marked text and the line: printable, and cut when it is very long."""
    first = 0
    if start > _WIDEST // 2 and len(excerpt) > _WIDEST:
        first = start - _WIDEST // 4
    cut = excerpt[first : first + _WIDEST]
    lead, tail = ("…" if first else ""), ("…" if len(excerpt) > first + _WIDEST else "")
    before = lead + _visible(cut[: start - first])
    marked = _visible(cut[start - first : start - first + length])
    return before, marked, lead + _visible(cut).rstrip() + tail


def _visible(text: str) -> str:
    """Without characters that would move the cursor or speak to the terminal."""
    return "".join(
        _TAB if c == "\t" else c if c == "\n" or unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}"
        for c in text
    ).replace("\n", " ")


def _cells(text: str) -> int:
    """Columns of a terminal that the text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _where(file: Path, line: int, column: int) -> str:
    name = _visible(str(file))
    return f"{name}:{line}:{column}" if line else name


def _paint(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour else text
