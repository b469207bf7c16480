"""One step in words.

In: a step, new and old contents. Out: its line, and the lines of its exact difference.
Holds: the content of a secret is never among them: what is secret says the type of the step, not a pattern.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from bastide.plan.steps import (
    CreateUser,
    InstallPackages,
    LeavePackages,
    MakeDirectory,
    MaskUnit,
    ReloadUnit,
    RemoveFile,
    RemoveUnit,
    RemoveUser,
    RestartUnit,
    SetSysctls,
    Settle,
    StartUnit,
    Step,
    UnpackArchive,
    WriteFile,
)

Contents = Mapping[str, bytes]
"""By path."""


def describe_step(step: Step) -> str:
    """One line for one step, such as `~ /etc/bastide/nginx/nginx.conf`."""
    match step:
        case InstallPackages(packages=packages):
            return f"+ packages {' '.join(packages)}"
        case CreateUser(name=name):
            return f"+ user {name}"
        case RemoveUser(name=name):
            return f"- user {name} goes, unless it still owns files"
        case LeavePackages(packages=packages):
            return (
                f"- packages {' '.join(packages)}, unless others need them; they leave with the last kept generation "
                "that names them, and never their data"
            )
        case UnpackArchive(path=path, size=size):
            return f"+ release {path} ({size / 1e6:.1f} MB)"
        case MakeDirectory(path=path):
            return f"+ directory {path}"
        case WriteFile():
            return _describe_file(step)
        case RemoveFile(path=path, secret=secret):
            return f"- {path}{' (secret)' if secret else ''}"
        case SetSysctls(settings=settings):
            return f"~ kernel settings ({len(settings)})"
        case RemoveUnit(name=name):
            return f"- unit {name} stops and goes"
        case MaskUnit(name=name):
            return f"- unit {name} stops and is masked"
        case StartUnit(name=name):
            return f"* start {name}"
        case RestartUnit(name=name):
            return f"* restart {name}"
        case ReloadUnit(name=name):
            return f"* reload {name}"
        case Settle(why=why):
            return f"* {why}"


def _describe_file(step: WriteFile) -> str:
    changed = step.old is not None and step.old != step.had and step.had is not None
    notes = [
        *(["secret"] * step.secret),
        *(["its mode or owner"] * (step.old == step.new)),
        *(["changed on the host by someone"] * (changed or (step.drifted and step.old is not None))),
        *(["removed on the host by someone"] * (step.drifted and step.old is None)),
    ]
    noted = f" ({', '.join(notes)})" if notes else ""
    return f"{'+' if step.old is None else '~'} {step.path}{noted}"


def difference(step: Step, new: Contents, old: Contents) -> Iterator[str]:
    """The exact difference that the step makes, as a unified diff; nothing where there is none to show."""
    match step:
        case WriteFile(secret=True) | RemoveFile(secret=True):
            return
        case WriteFile(path=path) if path in new and (step.old is None or path in old):
            yield from _unified(old.get(path, b""), new[path])
        case RemoveFile(path=path) if path in old:
            yield from _unified(old[path], b"")
        case SetSysctls():
            had, wanted = dict(step.had), dict(step.settings)
            for key in sorted(had.keys() | wanted.keys()):
                if step.drifted or had.get(key) != wanted.get(key):
                    if key in had and not step.drifted:  # what someone made of it is not known
                        yield f"-{key} = {had[key]}"
                    if key in wanted:
                        yield f"+{key} = {wanted[key]}"
        case _:
            return


def _unified(old: bytes, new: bytes) -> Iterator[str]:
    try:
        before, after = old.decode().splitlines(), new.decode().splitlines()
    except UnicodeDecodeError:
        yield "(binary)"
        return
    yield from list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]
