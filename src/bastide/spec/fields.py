"""The model's refusals, in plain words.

In: pydantic's errors and the tree that was checked. Out: faults.
Holds: one fault of the user is one fault here: alternatives of a union are not told one by one, a misspelt key is
not told again as a missing one, and a list is not called too short because its items are wrong.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bastide.spec.errors import Fault, Keys, dotted
from bastide.spec.model import Spec
from bastide.spec.nodes import Mapping, Node, Scalar, Sequence, locate_node
from bastide.spec.shape import fields_of, find_sections
from bastide.spec.values import BadValue

_CLOSE = 0.6
_ARTICLES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "string_type": "text",
    "model_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "tuple_type": "a list",
}


def explain_refusal(error: ValidationError, root: Mapping) -> list[Fault]:
    """Every refusal of the model, once."""
    faults: dict[Keys, Fault] = {}
    for detail in error.errors(include_url=False):
        path, is_key = _path_in_file(detail, root)
        fault = _explain(detail, path, is_key, root)
        faults.setdefault(path, fault)
    return _without_echoes(list(faults.values()))


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant."""
    by_lower = {choice.lower(): choice for choice in choices}
    plain = word.lower().replace("-", "_")
    begun = [choice for choice in by_lower if len(plain) >= 3 and choice.startswith(plain)]
    close = begun or difflib.get_close_matches(plain, by_lower, n=1, cutoff=_CLOSE)
    return by_lower[close[0]] if close else None


def _path_in_file(detail: ErrorDetails, root: Mapping) -> tuple[Keys, bool]:
    """pydantic's location without its union tags, and whether the key itself is meant."""
    path: list[str | int] = []
    node: Node | None = root
    for part in detail["loc"]:
        if part == "[key]":
            return tuple(path), True
        if isinstance(node, Mapping) and part in node.entries:
            node = node.entries[str(part)].node
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        elif isinstance(part, str) and part.startswith("<"):
            continue
        else:
            node = None
        path.append(part)
    return tuple(path), False


def _explain(detail: ErrorDetails, path: Keys, is_key: bool, root: Mapping) -> Fault:
    kind, name = detail["type"], str(path[-1]) if path else "the spec"
    context: dict[str, Any] = detail.get("ctx", {})
    bad = context.get("error")
    at: Literal["value", "key"] = "key" if is_key else "value"
    if isinstance(bad, BadValue) and detail["input"] is not None:
        subject = "" if is_key else _subject(path)
        return Fault(path=path, code=bad.code, message=subject + bad.message, hint=bad.hint, at=at)
    if kind == "extra_forbidden":
        return _unknown_key(path, root)
    if kind == "missing":
        return _missing_key(path)
    if detail["input"] is None:
        return _null(path)
    if kind == "literal_error":
        return _not_a_choice(path, detail["input"], re.findall(r"'([^']*)'", str(context["expected"])) or [1])
    if kind == "too_short":
        message = f"'{name}' is empty, and needs at least one entry"
        return Fault(path=path, code="BST016", message=message, at="key")
    if kind in _ARTICLES:
        return _wrong_type(path, kind, detail["input"])
    if kind in ("greater_than_equal", "less_than_equal"):
        return _out_of_bounds(path, detail)
    return Fault(path=path, code="BST013", message=f"{_subject(path)}{detail['msg'].lower()}")


def _unknown_key(path: Keys, root: Mapping) -> Fault:
    sections = find_sections(path[:-1])
    known = [field for section in sections for field in fields_of(section)]
    key = str(path[-1])
    beside, _, _ = locate_node(root, path[:-1])
    present = beside.entries if isinstance(beside, Mapping) else {}
    meant = suggest(key, [field for field in known if field not in present])
    if meant:
        hint = f"did you mean '{meant}'?"
    else:
        homes = [home for home in Spec.model_fields if any(key in fields_of(s) for s in find_sections((home,)))]
        elsewhere = f"'{key}' belongs in '{homes[0]}'; " if homes and path[:-1] != (homes[0],) else ""
        hint = f"{elsewhere}known keys here: {', '.join(known)}"
    place = f" in '{dotted(path[:-1])}'" if len(path) > 1 else ""
    return Fault(path=path, code="BST012", message=f"unknown key '{key}'{place}", hint=hint, at="key")


def _missing_key(path: Keys) -> Fault:
    section = find_sections(path[:-1])
    info = fields_of(section[0]).get(str(path[-1])) if section else None
    place = f" in '{dotted(path[:-1])}'" if len(path) > 1 else ""
    words = (info.description or "").strip().rstrip(".") if info is not None else ""
    if words[1:2].islower():
        words = words[0].lower() + words[1:]
    hint = f"add `{path[-1]}`, {words}" if words else f"add `{path[-1]}`"
    return Fault(path=path, code="BST011", message=f"the key '{path[-1]}' is missing{place}", hint=hint, at="key")


def _no_value(path: Keys) -> Fault:
    hint = "write a value after the ':', or remove the line to have the default"
    if find_sections(path):
        hint = "write its keys below it, or remove the line to have the defaults"
    if isinstance(path[-1] if path else "", int):
        hint = "write a value after the '-', or remove the line"
    return Fault(path=path, code="BST015", message=f"{_subject(path, bare=True)} has no value", hint=hint, at="key")


def _null(path: Keys) -> Fault:
    message = f"{_subject(path, bare=True)} cannot be null"
    hint = "remove the line to have the default; `null` removes a key in an overlay only"
    return Fault(path=path, code="BST015", message=message, hint=hint, at="key")


def _not_a_choice(path: Keys, value: object, choices: list[Any]) -> Fault:
    words = [str(choice) for choice in choices]
    meant = suggest(value, words) if isinstance(value, str) else None
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    shown = f"'{value}'" if isinstance(value, str) else _kind_of(value)
    hint = f"did you mean '{meant}'?" if meant else f"write {listed}"
    if path == ("version",):
        hint = "this Bastide reads version 1 of the format"
    if path == ("tls", "edge"):
        hint = "write internal, or a mapping with `certificate` and `key`"
    subject = "role" if len(path) > 1 and path[-2] == "roles" else f"value for '{_named(path)}'"
    message = f"unknown {subject} {shown}" if subject == "role" else f"{shown} is no {subject}: {listed}"
    if subject == "role" and not meant:
        hint = f"roles are {listed}"
    return Fault(path=path, code="BST013", message=message, hint=hint)


def _wrong_type(path: Keys, kind: str, value: object) -> Fault:
    wanted = _ARTICLES[kind]
    message = f"{_subject(path, bare=True)} must be {wanted}, not {_kind_of(value)}"
    hint: str | None = None
    sections = find_sections(path)
    if any(section.__name__ == "Secret" for section in sections):
        hint = "a secret never stands in the spec: write `generate: 32`, `file: PATH` or `env: NAME` below it"
    elif kind == "string_type" and isinstance(value, bool | int):
        hint = "put it in quotes"
    elif kind == "tuple_type" and isinstance(value, str):
        hint = f"write `[{value}]`" if " " not in value else f"write `[{', '.join(value.split())}]`"
    elif kind == "tuple_type":
        hint = "write one entry a line, each after '- '"
    elif kind == "int_type" and isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
        hint = "remove the quotes"
    elif kind == "int_type" and isinstance(value, str):
        hint = "write it in digits alone, without quotes or unit"
    elif kind == "bool_type" and isinstance(value, str):
        hint = _switch_hint(value)
    elif sections:
        hint = f"its keys are {', '.join(fields_of(sections[0]))}"
    return Fault(path=path, code="BST010", message=message, hint=hint)


def _switch_hint(word: str) -> str | None:
    if word.lower() in ("yes", "on", "y", "true"):
        return "write true"
    if word.lower() in ("no", "off", "n", "false"):
        return "write false"
    return None


def _out_of_bounds(path: Keys, detail: ErrorDetails) -> Fault:
    context = detail.get("ctx", {})
    bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
    message = f"'{_named(path)}' must be {bound}, not {detail['input']}"
    return Fault(path=path, code="BST014", message=message)


def _without_echoes(faults: list[Fault]) -> list[Fault]:
    misspelt = {
        (*fault.path[:-1], fault.hint.split("'")[1])
        for fault in faults
        if fault.code == "BST012" and fault.hint and fault.hint.startswith("did you mean")
    }
    paths = [fault.path for fault in faults]
    return [
        fault
        for fault in faults
        if not (fault.code == "BST011" and fault.path in misspelt)
        and not (fault.code == "BST016" and any(_below(path, fault.path) for path in paths))
    ]


def _below(path: Keys, above: Keys) -> bool:
    return len(path) > len(above) and path[: len(above)] == above


def _named(path: Keys) -> str:
    """The name that a reader looks for: the last key, since an item of a list has none."""
    names = [part for part in path if isinstance(part, str)]
    return names[-1] if names else "the spec"


def _subject(path: Keys, *, bare: bool = False) -> str:
    name = _named(path)
    if path and isinstance(path[-1], int):
        return f"an entry of '{name}'" if bare else f"an entry of {name}: "
    return f"'{name}'" if bare else f"{name}: "


def _kind_of(value: object) -> str:
    names: list[tuple[type, Callable[[Any], str]]] = [
        (bool, lambda v: "true" if v else "false"),
        (int, lambda v: f"the number {v}"),
        (str, lambda v: "text"),
        (list, lambda v: "a list"),
        (dict, lambda v: "a mapping"),
    ]
    return next((words(value) for kind, words in names if isinstance(value, kind)), "nothing")


def empty_values(root: Mapping) -> list[Fault]:
    """Keys with nothing after the ':'; `null` may be written where a field allows it, nothing may not."""
    found: list[Fault] = []
    _collect_empty(root, (), found)
    return found


def _collect_empty(node: Node, path: Keys, found: list[Fault]) -> None:
    if isinstance(node, Scalar):
        if node.empty:
            fault = _no_value(path)
            if path == ("database",):
                fault = Fault(
                    path=path,
                    code=fault.code,
                    message=fault.message,
                    hint="write `database: {}` for one with all defaults, or remove the line to have none",
                    at="key",
                )
            found.append(fault)
    elif isinstance(node, Mapping):
        for key, entry in node.entries.items():
            _collect_empty(entry.node, (*path, key), found)
    else:
        for index, item in enumerate(node.items):
            _collect_empty(item, (*path, index), found)
