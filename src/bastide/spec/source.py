"""Reading one YAML file into a tree that knows where everything stands.

In: a path. Out: `Document`: the tree, the lines, and every fault of form that does not end the reading.
Holds: YAML 1.2 (`no`, `on` and `22:22` are text); each key once; text keys; no tags but `!!str`; nesting, size and
the expansion of aliases are bounded, so that no file can exhaust the reader.

ruamel.yaml does the scanning; composing is done here, because only the events know where keys and values stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event
from ruamel.yaml.reader import ReaderError

from bastide.spec.compose import Composer, Refused
from bastide.spec.errors import Place, SpecError, SpecInvalid
from bastide.spec.nodes import Mapping, Node

MAX_BYTES = 4 << 20
_READER_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, kw_only=True)
class Document:
    """One YAML file, read."""

    file: Path
    lines: tuple[str, ...]
    root: Mapping
    errors: tuple[SpecError, ...]
    """Faults that did not keep the rest from being read, such as duplicate keys."""


def read_document(file: Path) -> Document:
    """Read a spec file or overlay. Raises SpecInvalid when there is no tree to go on with."""
    text = _read_text(file)
    lines = tuple(_LINE_BREAK.split(text))
    composer = Composer(file=file, lines=lines)
    try:
        root = composer.compose(_events(text, file, lines))
    except Refused as refused:
        raise SpecInvalid((*composer.errors, refused.error)) from None
    return Document(file=file, lines=lines, root=_as_mapping(root, file, lines), errors=tuple(composer.errors))


def _read_text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _invalid("BST007", f"'{file.name}' is larger than {MAX_BYTES >> 20} MiB", Place(file=file))
        raw = file.read_bytes()
    except FileNotFoundError:
        hint = "`bastide init` writes one; `-f FILE` names another"
        raise _invalid("BST001", f"there is no file '{file}'", Place(file=file), hint) from None
    except IsADirectoryError:
        raise _invalid("BST001", f"'{file}' is a folder, not a file", Place(file=file)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _invalid("BST001", f"'{file}' cannot be read: {reason}", Place(file=file)) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace").removeprefix("\ufeff")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        place = Place(file=file, line=line, column=column)
        byte = raw[error.start]
        message = f"the file is not UTF-8 text: byte 0x{byte:02x} fits no character"
        lines = tuple(_LINE_BREAK.split(raw.decode("utf-8", "replace").removeprefix("\ufeff")))
        hint = "save the file in the UTF-8 encoding"
        raise SpecInvalid((_error("BST002", message, place, hint, lines),)) from None


def _events(text: str, file: Path, lines: tuple[str, ...]) -> Iterator[Event]:
    """The scanner's events, its faults in our words."""
    odd = _READER_CHARACTER.search(text)
    if odd:
        head = _LINE_BREAK.split(text[: odd.start()])
        place = Place(file=file, line=len(head), column=len(head[-1]) + 1)
        message = f"character U+{ord(odd[0]):04X} is not allowed in YAML"
        raise Refused(_error("BST003", message, place, "remove it; control characters are often pasted", lines))
    parser = YAML(typ="safe", pure=True)
    last = Place(file=file, line=1, column=1)
    try:
        for event in parser.parse(text):
            last = Place(file=file, line=event.end_mark.line + 1, column=event.end_mark.column + 1)
            yield event
    except MarkedYAMLError as error:
        message, hint = _explain(error)
        unclosed = " closed" in message and error.context_mark is not None
        mark = error.context_mark if unclosed else error.problem_mark or error.context_mark
        place = last if mark is None else Place(file=file, line=mark.line + 1, column=mark.column + 1)
        raise Refused(_error("BST003", message, place, hint, lines)) from None
    except (ReaderError, YAMLError, ValueError, OverflowError, IndexError, AttributeError, TypeError):
        # Not only YAMLError: ruamel.yaml lets `"\UFFFFFFFF"` end in an OverflowError, and has more of the kind.
        raise Refused(_error("BST003", "the YAML cannot be read from here on", last, None, lines)) from None


def _explain(error: MarkedYAMLError) -> tuple[str, str | None]:
    """The commonest slips in plain words; the scanner's own words for the rest."""
    problem = str(error.problem or "the YAML cannot be read").strip()
    context = str(error.context or "")
    if r"'\t'" in problem:
        return "a tab cannot indent YAML", "indent with spaces"
    if problem.startswith("mapping values are not allowed"):
        hint = "indent the line like its neighbours; put text that holds ': ' in quotes"
        return "a second ':' where none can stand", hint
    if "expected <block end>" in problem:
        if "'-'" in problem or "block sequence" in problem:
            return (
                "a list item stands where a key was expected",
                "align it with its list, or indent it below its key",
            )
        return "this line does not line up with the lines above", "indent keys of one mapping by the same spaces"
    if "expected ',' or ']'" in problem:
        return "a list opened with '[' is not closed", "add the missing ',' or ']'"
    if "expected ',' or '}'" in problem:
        return "a mapping opened with '{' is not closed", "add the missing ',' or '}'"
    if "expected the node content" in problem and "stream end" in problem:
        return "the file ends where a value should stand", "close what is open with ']' or '}'"
    if "quoted scalar" in context and "end of stream" in problem:
        return "a quote is opened and never closed", "add the closing quote"
    if "could not find expected ':'" in problem:
        return "a key without ':'", "write `key: value`"
    if "unknown escape character" in problem:
        return f"a backslash in double quotes: {problem.removeprefix('found ')}", "use single quotes, or double it"
    if "cannot start any token" in problem:
        character = problem.removeprefix("found character ").split(" ")[0]
        return f"a value cannot begin with {character}", "put the value in quotes"
    words = problem.replace("<", "").replace(">", "")
    return f"not valid YAML: {words}", None


def _as_mapping(root: Node | None, file: Path, lines: tuple[str, ...]) -> Mapping:
    if root is None:
        raise _invalid("BST005", "the file is empty", Place(file=file), "`bastide init` writes a complete one")
    if not isinstance(root, Mapping):
        hint = "begin with `name: my-project`; `bastide init` writes a complete file"
        raise SpecInvalid(
            (_error("BST006", "a spec is a mapping of keys to values, and this is not", root.at, hint, lines),)
        )
    return root


def _error(code: str, message: str, at: Place, hint: str | None, lines: tuple[str, ...]) -> SpecError:
    excerpt = lines[at.line - 1] if 0 < at.line <= len(lines) else ""
    return SpecError(
        code=code,
        message=message,
        hint=hint,
        file=at.file,
        line=at.line,
        column=at.column,
        length=at.length,
        excerpt=excerpt,
    )


def _invalid(code: str, message: str, at: Place, hint: str | None = None) -> SpecInvalid:
    return SpecInvalid((_error(code, message, at, hint, ()),))
