"""The files and folders that a spec names: whether they are there.

In: a Spec and the folder that it stands in. Out: faults, by place in the spec.
Holds: looks at names and kinds only; no file is opened.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec
from bastide.spec.parts import CertificateFiles


@dataclass(frozen=True)
class _Named:
    path: Keys
    written: str
    folder: Path
    """What a relative path is relative to."""
    kind: Literal["file", "folder"]
    relative_to: str = "the folder of the spec"


def check_paths(spec: Spec, base: Path, *, doubtful: frozenset[Keys] = frozenset()) -> list[Fault]:
    """Faults for whatever the spec names and the disk does not hold. Doubtful places are left out."""
    faults: list[Fault] = []
    for named in _named(spec, base):
        if not any(named.path[: len(path)] == path for path in doubtful):
            faults.extend(_check(named))
    return faults


def _named(spec: Spec, base: Path) -> Iterator[_Named]:
    app = base / spec.app.path
    yield _Named(("app", "path"), spec.app.path, base, "folder")
    if app.is_dir():
        if spec.app.requirements is not None:
            yield _Named(("app", "requirements"), spec.app.requirements, app, "file", "the application's folder")
        if spec.app.kind == "php" and spec.app.entry is not None:
            yield _Named(("app", "entry"), spec.app.entry, app, "file", "the application's folder")
    for prefix, folder in spec.web.static.items():
        yield _Named(("web", "static", prefix), folder, base, "folder")
    if isinstance(spec.tls.edge, CertificateFiles):
        yield _Named(("tls", "edge", "certificate"), spec.tls.edge.certificate, base, "file")
        yield _Named(("tls", "edge", "key"), spec.tls.edge.key, base, "file")
    if spec.balancer.maintenance_page is not None:
        yield _Named(("balancer", "maintenance_page"), spec.balancer.maintenance_page, base, "file")
    for name, secret in spec.app.secrets.items():
        if secret.file is not None:
            yield _Named(("app", "secrets", name, "file"), secret.file, base, "file")
    if spec.database is not None and spec.database.password.file is not None:
        yield _Named(("database", "password", "file"), spec.database.password.file, base, "file")


def _check(named: _Named) -> Iterator[Fault]:
    try:
        target = named.folder / named.written
        present, is_folder = target.exists(), target.is_dir()
    except (OSError, ValueError):  # a NUL, a name too long, a folder that may not be searched
        yield Fault(path=named.path, code="BST070", message=f"'{named.written}' cannot be a path here")
        return
    if not present:
        message = f"there is no {named.kind} '{named.written}' ('{named.path[-1]}')"
        if named.path[:2] == ("web", "static"):
            message = f"there is no folder '{named.written}' to serve at '{named.path[-1]}'"
        yield Fault(path=named.path, code="BST070", message=message, hint=_hint(target, named))
    elif is_folder != (named.kind == "folder"):
        found = "a folder" if is_folder else "a file"
        message = f"'{named.written}' is {found}, where a {named.kind} is needed"
        yield Fault(path=named.path, code="BST071", message=message)


def _hint(target: Path, named: _Named) -> str:
    if named.path == ("app", "path") and named.written == "./app":
        return "put the application's code there, or name its folder by `path` in `app`"
    try:
        names = sorted(entry.name for entry in target.parent.iterdir())
    except OSError:
        return f"the path is relative to {named.relative_to}, where '{Path(named.written).parent}' is missing too"
    close = difflib.get_close_matches(target.name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"the path is relative to {named.relative_to}"
