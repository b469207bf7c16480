"""The user's folders -> releases: archives in the blob store, named by their content.

In: spec, the folder that its paths are relative to, the blob store. Out: `Release` by name.
Holds: the same files give the same archive, on every machine and at every time; a release that exists is complete
(written beside its place, then renamed). Raises ReleaseFailed, with what to do about it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from bastide.apply.archive import Entry, collect_tree, fingerprint_files, leave_out_secrets, write_archive
from bastide.apply.dependencies import install_dependencies
from bastide.apply.release_failed import ReleaseFailed
from bastide.host.disk import read_json, write_json
from bastide.policy.materials import Release
from bastide.spec.model import Spec

__all__ = ["ReleaseFailed", "build_releases"]

Progress = Callable[[str], None]
STAMP = "release-stamp"
"""A file beside the store: while it is there, an application's release carries it, and the same code is another release
(what a drill deploys)."""
STAMPED = ".bastide-release"
"""Its name in the release; nginx serves no such name."""


def build_releases(
    spec: Spec, base: Path, store: Path, *, on_progress: Progress = lambda _: None
) -> Mapping[str, Release]:
    """Every release of the spec; archives stand at `store/<digest>`, dependencies are kept beside the store."""
    store.mkdir(parents=True, exist_ok=True)
    for leftover in store.glob(".release-*"):
        leftover.unlink()
    releases = {}
    if spec.app.kind != "static" or any("web" in host.roles for host in spec.hosts.values()):
        on_progress("packing the application")
        application = _application(spec, base, store, on_progress) + _stamp(store.parent / STAMP)
        releases["app"] = _store("app", application, store)
    for index, (prefix, path) in enumerate(spec.web.static.items()):
        on_progress(f"packing the static files of {prefix}")
        name = f"static-{index}"
        releases[name] = _store(name, _user_tree(spec, base / path, on_progress), store)
    return releases


def _application(spec: Spec, base: Path, store: Path, on_progress: Progress) -> list[Entry]:
    folder = base / spec.app.path
    code = _user_tree(spec, folder, on_progress)
    if spec.app.kind == "static":
        return code
    entries = [entry.below("code") for entry in code]
    if spec.app.kind != "php":
        packages = install_dependencies(spec.app, folder, store.parent / "site-packages", on_progress)
        entries += [entry.below("site-packages") for entry in collect_tree(packages, ())]
    return entries


def _stamp(file: Path) -> list[Entry]:
    try:
        file.open().close()  # not only looked for: what a compilation opens is what it depends on
    except FileNotFoundError:
        return []
    return [Entry(name=STAMPED, source=file)]


def _user_tree(spec: Spec, folder: Path, on_progress: Progress) -> list[Entry]:
    return leave_out_secrets(collect_tree(folder, spec.app.exclude), on_progress)


def _store(name: str, entries: list[Entry], store: Path) -> Release:
    """The archive, packed now or, where no file was touched since, known from before."""
    marks = store.parent / "packed.json"
    known, mark = read_json(marks, {}), fingerprint_files(entries)
    found = known.get(name, {})
    if mark and found.get("mark") == mark and _is_there(store / found["digest"], found["size"]):
        return Release(name=name, digest=found["digest"], size=found["size"])
    release = _pack(name, entries, store)
    if mark:
        write_json(marks, {**known, name: {"mark": mark, "digest": release.digest, "size": release.size}})
    return release


def _is_there(archive: Path, size: int) -> bool:
    return archive.is_file() and archive.stat().st_size == size


def _pack(name: str, entries: list[Entry], store: Path) -> Release:
    with NamedTemporaryFile(dir=store, prefix=".release-", delete=False) as file:
        try:
            digest, size = write_archive(entries, file)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(store / digest)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return Release(name=name, digest=digest, size=size)
