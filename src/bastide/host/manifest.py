"""The manifest of a bundle, as a host sees it: plain JSON with digests in the place of contents.

In: JSON that `bundle.model.HostBundle.manifest` made. Out: typed dictionaries and small questions about them.
Holds: pure.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

from bastide.host.errors import Failure

SWITCHED = "/etc/bastide/"
"""What lies below is switched with the generation; every other file is replaced by itself."""
SYSTEMD = "/etc/systemd/system/"
SYSCTL_FILE = "/etc/sysctl.d/60-bastide.conf"


class FileEntry(TypedDict):
    """A file; its content is named by its sha256."""

    path: str
    sha256: str
    size: int
    mode: int
    owner: str
    group: str
    secret: bool


class DirectoryEntry(TypedDict):
    """A directory outside `/etc/bastide`."""

    path: str
    mode: int
    owner: str
    group: str


class ArchiveEntry(TypedDict):
    """A tar and the directory that it is unpacked into."""

    path: str
    digest: str
    size: int
    owner: str
    group: str


class UserEntry(TypedDict):
    """A system user."""

    name: str
    groups: list[str]


class _Draining(TypedDict, total=False):
    """Not in the manifests of older generations."""

    drain_flag: str
    drains: list[str]


class UnitEntry(_Draining):
    """A systemd unit."""

    name: str
    restart_on: list[str]
    reload_on: list[str]
    kind: str
    may_wait: bool
    stops_before: list[str]


class CheckEntry(TypedDict):
    """A product's checker."""

    name: str
    argv: list[str]
    network: bool
    quiet: bool
    looks_around: bool
    inputs: str
    """Digest of the files that it judges; without one (older manifests have none) it is run at every apply."""


class ProbeEntry(TypedDict):
    """What must hold after activation."""

    name: str
    argv: list[str]
    timeout_s: float
    product: str


class Manifest(TypedDict):
    """A whole bundle without its contents."""

    format: int
    host: str
    packages: list[str]
    users: list[UserEntry]
    directories: list[DirectoryEntry]
    archives: list[ArchiveEntry]
    files: list[FileEntry]
    units: list[UnitEntry]
    checks: list[CheckEntry]
    probes: list[ProbeEntry]
    sysctls: dict[str, str]


def empty_manifest() -> Manifest:
    """A host with nothing of ours."""
    return Manifest(
        format=1, host="", packages=[], users=[], directories=[], archives=[], files=[], units=[], checks=[],
        probes=[], sysctls={},
    )  # fmt: skip


def manifest_digest(manifest: Manifest) -> str:
    """The digest that names the generation; the same as the controller's."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def validate_manifest(manifest: Manifest, digest: str) -> None:
    """Raise Failure unless the manifest is the one that the digest names and its paths are plain."""
    if manifest_digest(manifest) != digest:
        raise Failure("integrity", "the manifest does not have the digest that was announced")
    if manifest["format"] != 1:
        raise Failure("refused", f"manifest format {manifest['format']} is not known here")
    places = [e["path"] for e in (*manifest["files"], *manifest["directories"], *manifest["archives"])]
    for path in places:
        if not path.startswith("/") or posixpath.normpath(path) != path:
            raise Failure("refused", f"not an absolute, normal path: {path}")


def is_switched(path: str) -> bool:
    """Whether the path belongs to the tree that is switched at once."""
    return path.startswith(SWITCHED)


def lies_in(path: str, prefixes: Iterable[str]) -> bool:
    """Whether the path is one of the prefixes or lies below one."""
    return below(prefixes)(path)


def below(prefixes: Iterable[str]) -> Callable[[str], bool]:
    """The same question for many paths: a large site asks it a thousand times a host."""
    exact = frozenset(prefixes)
    folders = tuple(prefix.rstrip("/") + "/" for prefix in exact)
    return lambda path: path in exact or path.startswith(folders)


def all_stopped(units: Sequence[UnitEntry]) -> list[str]:
    """Units of Debian's packages that these units replace, without those that are units of ours themselves."""
    ours = {unit["name"] for unit in units}
    return sorted({name for unit in units for name in unit["stops_before"]} - ours)


def sysctl_text(sysctls: dict[str, str]) -> str:
    """The file that sets the kernel settings at boot."""
    return "".join(f"{key} = {value}\n" for key, value in sorted(sysctls.items()))
