"""Which generations were confirmed on this host, by the number of the apply that brought them.

    generations.json   one entry for each, oldest first

In: activations that were confirmed. Out: entries, and which of them a rollback means. Holds: the newest entry that
is not `undone` is the one that runs; what a rollback left behind is undone, and no later rollback returns to it
unless it is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from bastide.host.disk import read_json, write_json
from bastide.host.errors import Failure
from bastide.host.machine import Machine
from bastide.host.manifest import Manifest
from bastide.host.packages import installed_versions
from bastide.host.state import Activation, read_manifest
from bastide.host.store import is_built


class Entry(TypedDict):
    """One confirmed generation."""

    digest: str
    number: int
    """Of the apply that brought it."""
    at: float
    who: str
    commit: str
    undone: bool
    packages: dict[str, str]
    """Version of each package that it asks for, as installed when it was confirmed."""


def read_record(machine: Machine) -> list[Entry]:
    """Entries whose generation is still here, oldest first."""
    entries: list[Entry] = read_json(machine.home / "generations.json", [])
    return [entry for entry in entries if is_built(machine, entry["digest"])]


def remember(machine: Machine, activation: Activation) -> None:
    """The activation was confirmed: add its generation, or undo those after the one that was returned to."""
    if not activation["digest"]:
        return
    entries = read_record(machine)
    found = [entry for entry in entries if entry["digest"] == activation["digest"]]
    if activation["operation"] == "rollback" and found:
        mark_returned(machine, activation["digest"])
        return
    now = running(entries)
    if now is not None and now["digest"] == activation["digest"]:
        return  # what somebody changed by hand was put back: the generation, and the apply that brought it, are the same
    manifest: Manifest = read_manifest(machine, activation["digest"])
    entry = Entry(
        digest=activation["digest"],
        number=activation["number"],
        at=activation["at"],
        who=activation["who"],
        commit=activation["commit"],
        undone=False,
        packages=installed_versions(machine, manifest["packages"]),
    )
    # One entry a generation: a spec that came back to an earlier state has that generation now, not then.
    write_json(machine.home / "generations.json", [*(e for e in entries if e not in found), entry])


def mark_returned(machine: Machine, digest: str) -> None:
    """That generation runs again; what came after it is undone."""
    entries = read_record(machine)
    place = next((index for index, entry in enumerate(entries) if entry["digest"] == digest), len(entries))
    marked = [*entries[:place], *(Entry(**{**e, "undone": e["digest"] != digest}) for e in entries[place:])]
    if marked != entries:
        write_json(machine.home / "generations.json", marked)


def running(entries: Sequence[Entry]) -> Entry | None:
    """The entry that runs."""
    return next((entry for entry in reversed(entries) if not entry["undone"]), None)


def as_of(entries: Sequence[Entry], number: int) -> Entry | None:
    """What ran here when apply `number` had ended."""
    return next(
        (e for e in reversed(entries) if e["number"] <= number and (not e["undone"] or e["number"] == number)), None
    )


def find_target(machine: Machine, to: int | None) -> Entry | None:
    """What `bastide-host rollback` returns to; None when no entry says. Raises Failure for a number that is gone."""
    entries = read_record(machine)
    now = running(entries)
    if to is None:
        return as_of(entries, now["number"] - 1) if now else None
    target = as_of(entries, to)
    if target is None:
        kept = ", ".join(str(entry["number"]) for entry in entries) or "none"
        raise Failure("refused", f"no generation of apply {to} or before is kept here", hint=f"Kept: {kept}.")
    return target
