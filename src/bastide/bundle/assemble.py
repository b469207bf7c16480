"""Fragments of one host -> its bundle.

In: fragments in starting order. Out: `HostBundle`, the same bytes for the same fragments.
Raises `BundleConflict`, which is a bug of a product and never of the user: two fragments want different things, or
a fragment asks for something that no host should have.
Holds: everything is sorted except units, checks and probes, whose order means something. Linear in what goes in.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bastide.bundle.model import HostBundle, digest_of
from bastide.products.fragment import Archive, Check, Directory, File, Fragment, Unit, User


class BundleConflict(AssertionError):
    """Fragments that do not go together."""


_PlacedT = TypeVar("_PlacedT", File, Directory, Archive)


def assemble_bundle(host: str, fragments: Sequence[Fragment]) -> HostBundle:
    """Merge the fragments of one host."""
    files = _merged_by_path(host, (f for part in fragments for f in part.files))
    directories = _merged_by_path(host, (d for part in fragments for d in part.directories))
    archives = _merged_by_path(host, (a for part in fragments for a in part.archives))
    for file in files:
        _check_file(host, file)
    for path in (*(d.path for d in directories), *(a.path for a in archives)):
        _check_path(host, path)
    _check_apart(host, files, directories, archives)
    return HostBundle(
        host=host,
        packages=tuple(sorted({name for part in fragments for name in part.packages})),
        users=_merged_users(u for part in fragments for u in part.users),
        directories=directories,
        archives=archives,
        files=files,
        units=_merged_units(host, (u for part in fragments for u in part.units)),
        checks=tuple(dict.fromkeys(c for part in fragments for c in _checks(part))),
        probes=tuple(dict.fromkeys(replace(p, product=part.product) for part in fragments for p in part.probes)),
        sysctls=_merged_sysctls(host, (part.sysctls for part in fragments)),
    )


def _checks(part: Fragment) -> Iterator[Check]:
    """The product's checks, each with what it judges: a product's configuration names files of its own alone."""
    seen = sorted((f.path, digest_of(f.content), f.mode, f.owner, f.group) for f in part.files if part.checks)
    inputs = digest_of(json.dumps(seen).encode())
    yield from (replace(check, inputs="" if check.looks_around else inputs) for check in part.checks)


def _merged_by_path(host: str, things: Iterable[_PlacedT]) -> tuple[_PlacedT, ...]:
    merged: dict[str, _PlacedT] = {}
    for thing in things:
        if merged.setdefault(thing.path, thing) != thing:
            raise BundleConflict(f"{host}: two products want {thing.path} differently")
    return tuple(merged[path] for path in sorted(merged))


def _merged_users(users: Iterable[User]) -> tuple[User, ...]:
    groups: dict[str, set[str]] = {}
    for user in users:
        groups.setdefault(user.name, set()).update(user.groups)
    return tuple(User(name=name, groups=tuple(sorted(groups[name]))) for name in sorted(groups))


def _merged_units(host: str, units: Iterable[Unit]) -> tuple[Unit, ...]:
    merged: dict[str, Unit] = {}
    for unit in units:
        known = merged.get(unit.name)
        if known is not None and known.kind != unit.kind:
            raise BundleConflict(f"{host}: {unit.name} is both a {known.kind} and a {unit.kind}")
        merged[unit.name] = unit if known is None else _united(known, unit)
    replaced = {name for unit in merged.values() for name in unit.stops_before}
    both = sorted(replaced & merged.keys())
    if both:
        raise BundleConflict(f"{host}: {', '.join(both)} is to run and to be masked")
    return tuple(merged.values())


def _united(one: Unit, other: Unit) -> Unit:
    return replace(
        one,
        restart_on=tuple(sorted({*one.restart_on, *other.restart_on})),
        reload_on=tuple(sorted({*one.reload_on, *other.reload_on})),
        stops_before=tuple(sorted({*one.stops_before, *other.stops_before})),
    )


def _merged_sysctls(host: str, settings: Iterable[Mapping[str, str]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for key, value in (item for setting in settings for item in setting.items()):
        if merged.setdefault(key, value) != value:
            raise BundleConflict(f"{host}: two products want {key} differently: {merged[key]} and {value}")
    return dict(sorted(merged.items()))


def _check_file(host: str, file: File) -> None:
    _check_path(host, file.path)
    if file.secret and file.mode & 0o007:
        raise BundleConflict(f"{host}: {file.path} is secret, and others may use it (mode {file.mode:04o})")
    if file.mode & 0o022:
        raise BundleConflict(f"{host}: {file.path} could be written by others (mode {file.mode:04o})")


def _check_path(host: str, path: str) -> None:
    if not path.startswith("/") or path.startswith("//") or path == "/" or posixpath.normpath(path) != path:
        raise BundleConflict(f"{host}: not an absolute, normal path: {path!r}")
    if any(ord(c) < 32 for c in path):
        raise BundleConflict(f"{host}: control character in the path {path!r}")


def _check_apart(
    host: str, files: Sequence[File], directories: Sequence[Directory], archives: Sequence[Archive]
) -> None:
    """A file's path must not be a directory to something else, and a release's directory is nobody else's."""
    leaves = {f.path for f in files} | {a.path for a in archives}
    every = (*(f.path for f in files), *(d.path for d in directories), *(a.path for a in archives))
    for path in every:
        parent = posixpath.dirname(path)
        while parent != "/":
            if parent in leaves:
                raise BundleConflict(f"{host}: {path} lies below {parent}, which is not a directory of its own")
            parent = posixpath.dirname(parent)
    twice = leaves & {d.path for d in directories} | {f.path for f in files} & {a.path for a in archives}
    if twice:
        raise BundleConflict(f"{host}: {min(twice)} is to be two things")
    for directory in directories:
        if directory.path == "/etc/bastide" or directory.path.startswith("/etc/bastide/"):
            raise BundleConflict(f"{host}: {directory.path} lies in the switched tree, which holds files only")
