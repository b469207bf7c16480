"""From files to a `LoadedSpec`, or every reason why not.

In: the path of a spec, and the name of an environment whose overlay is laid over it. Out: the frozen `Spec`, where
each of its values came from, and the files that were read.
Holds: every fault is told at once. What is faulty in form is set aside, so that the checks of meaning still run on
the rest; a check that would read what is faulty is left out rather than guess.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping as Readable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from bastide.spec.errors import Fault, SpecError, SpecInvalid, in_order
from bastide.spec.located import Listing
from bastide.spec.model import Spec
from bastide.spec.origins import Origin, trace_origins
from bastide.spec.overlay import merge_overlay
from bastide.spec.paths import check_paths
from bastide.spec.semantics import check_semantics
from bastide.spec.source import Document, read_document
from bastide.spec.validate import validate_tree

_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LoadedSpec:
    """A valid spec, with its history."""

    spec: Spec
    origins: Readable[str, Origin]
    """By dotted path (`hosts.web1.roles.0`): where the value stands, or that it is a default."""
    files: tuple[Path, ...]
    """The spec and, if one was asked for, the overlay."""
    warnings: tuple[SpecError, ...] = ()
    """What can be used, and hardly means what it says; in the order of the file."""
    listing: Listing = field(repr=False, compare=False)
    """To point into the file later, when something else than the spec's reader finds a fault in it."""


def load_spec(path: Path, *, environment: str | None = None, check_files: bool = True) -> LoadedSpec:
    """Load a spec. Raises SpecInvalid with every fault, each at the file, line and column that holds it.

    `check_files` says whether the folders and files that the spec names must exist.
    """
    documents = _read_all(path, environment)
    root = documents[0].root
    for overlay in documents[1:]:
        root = merge_overlay(root, overlay.root)
    faults, spec, doubtful = validate_tree(root)
    faults = [_about_overlays(fault, path) for fault in faults]
    if spec is not None:
        faults += check_semantics(spec, doubtful=doubtful)
        if check_files:
            faults += check_paths(spec, path.parent, doubtful=doubtful)
    listing = Listing(root=root, documents=tuple(documents))
    errors = [error for document in documents for error in document.errors]
    told = {(error.file, error.line, error.column) for error in errors}
    located = [listing.locate(fault) for fault in faults]
    errors += [error for error in located if (error.file, error.line, error.column) not in told]
    shown = tuple(listing.redacted(error) for error in errors)
    if spec is None or any(error.severity == "error" for error in shown):
        raise SpecInvalid(shown)
    return LoadedSpec(
        spec=spec,
        origins=MappingProxyType(trace_origins(spec, root)),
        files=tuple(document.file for document in documents),
        warnings=in_order(shown),
        listing=listing,
    )


def _about_overlays(fault: Fault, path: Path) -> Fault:
    """An overlay that was given as the spec lacks nearly everything; say so once, where it lacks its name."""
    base, dot, environment = path.stem.rpartition(".")
    if (
        fault.code != "BST011"
        or fault.path != ("name",)
        or not dot
        or not path.with_name(base + path.suffix).is_file()
    ):
        return fault
    hint = f"'{path.name}' looks like the overlay '{environment}' of '{base}{path.suffix}': name that file instead"
    return replace(fault, hint=hint)


def overlay_path(path: Path, environment: str) -> Path:
    """`bastide.yaml`, `production` → `bastide.production.yaml`, in the same folder."""
    return path.with_name(f"{path.stem}.{environment}{path.suffix}")


def _read_all(path: Path, environment: str | None) -> list[Document]:
    """The spec and its overlay; when both are unreadable, both are told."""
    documents: list[Document] = []
    errors: list[SpecError] = []
    files = [path]
    if environment is not None:
        files.append(_existing_overlay(path, environment))
    for file in files:
        try:
            documents.append(read_document(file))
        except SpecInvalid as invalid:
            errors.extend(invalid.errors)
    if errors:
        raise SpecInvalid((*errors, *(error for document in documents for error in document.errors)))
    return documents


def _existing_overlay(path: Path, environment: str) -> Path:
    if not _ENVIRONMENT.fullmatch(environment):
        message = f"'{environment}' cannot name an environment"
        hint = "use letters, digits, dashes and underscores"
        raise SpecInvalid((SpecError(code="BST009", message=message, file=path, hint=hint),))
    overlay = overlay_path(path, environment)
    if not overlay.is_file() and path.is_file():
        names = sorted(p.name for p in path.parent.glob(f"{path.stem}.*{path.suffix}") if p != path)
        hint = f"overlays here: {', '.join(names)}" if names else f"write '{overlay.name}' beside '{path.name}'"
        known = {name.removeprefix(f"{path.stem}.").removesuffix(path.suffix): name for name in names}
        close = difflib.get_close_matches(environment, known, n=1)
        if close:
            hint = f"did you mean '{close[0]}' ('{known[close[0]]}')?"
        message = f"there is no overlay '{overlay.name}' for the environment '{environment}'"
        raise SpecInvalid((SpecError(code="BST009", message=message, file=overlay, hint=hint),))
    return overlay
