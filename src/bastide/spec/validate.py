"""From a tree to a `Spec`, going on past faults as far as can be.

In: the merged tree. Out: the faults of form; a Spec (of what is sound, if there are faults); and the places that
were set aside, so that nobody judges them.
Holds: with no faults the Spec is the tree's own; with faults it serves the checks of meaning only.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from bastide.spec.errors import Fault, Keys
from bastide.spec.fields import empty_values, explain_refusal
from bastide.spec.model import Spec
from bastide.spec.nodes import Mapping, Plain, to_plain

_ROUNDS = 8
# Stand-ins for required keys that are missing or faulty; the checks leave such places alone.
_STAND_INS: dict[str, Any] = {
    "name": "unnamed",
    "domains": ["unnamed.test"],
    "hosts": {"unnamed": {"roles": ["balancer", "web"]}},
    "app": {"kind": "static"},
}


def validate_tree(root: Mapping) -> tuple[list[Fault], Spec | None, frozenset[Keys]]:
    """Faults, a Spec if one can be made, and the places set aside."""
    faults = empty_values(root)
    told = {fault.path for fault in faults}
    plain = to_plain(root)
    try:
        spec: Spec | None = Spec.model_validate(plain)
    except ValidationError as error:
        faults += [fault for fault in explain_refusal(error, root) if fault.path not in told]
        spec = None
    if not faults:
        return [], spec, frozenset()
    doubtful = {fault.path for fault in faults}
    return faults, _salvage(plain, doubtful), frozenset(doubtful)


def _salvage(plain: Plain, doubtful: set[Keys]) -> Spec | None:
    """A Spec of the sound part. Adds to `doubtful` what had to go with the faulty."""
    assert isinstance(plain, dict)
    for _ in range(_ROUNDS):
        for path in list(doubtful):
            doubtful.add(_remove(plain, path))
        for key, stand_in in _STAND_INS.items():
            if key not in plain:
                plain[key] = stand_in
                doubtful.add((key,))
        try:
            return Spec.model_validate(plain)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = tuple(part for part in detail["loc"] if not str(part).startswith("<"))
                path = path[: path.index("[key]")] if "[key]" in path else path
                # What is missing was removed before, or is told already: its section goes as a whole.
                doubtful.add(path[:-1] if detail["type"] == "missing" and len(path) > 1 else path)
    return None


def _remove(plain: dict[str, Plain], path: Keys) -> Keys:
    """Remove the deepest key on the path; lists go whole, since their other items would move. Returns what went."""
    keys = path
    for index, part in enumerate(path):
        if isinstance(part, int):
            keys = path[:index]
            break
    at: Plain = plain
    for part in keys[:-1]:
        if not isinstance(at, dict) or part not in at:
            return keys
        at = at[str(part)]
    if isinstance(at, dict) and keys:
        at.pop(str(keys[-1]), None)
    return keys
