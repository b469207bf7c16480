"""Releases: unpacked into a directory of their own, which is never written again.

In: an archive of a manifest and its verified tar. Out: a directory. Holds: a directory with an archive's path is
whole, because it is unpacked beside and renamed; nothing in a tar can land outside.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bastide.host.disk import remove_tree, sha256_of
from bastide.host.errors import Failure
from bastide.host.machine import Accounts, Machine
from bastide.host.manifest import ArchiveEntry

if TYPE_CHECKING:
    import tarfile

_DRAFT = ".unpack-"


def is_unpacked(machine: Machine, archive: ArchiveEntry) -> bool:
    """Whether the release is there."""
    return machine.path(archive["path"]).is_dir()


def unpack_archive(machine: Machine, archive: ArchiveEntry, accounts: Accounts) -> None:
    """Unpack one release from the blobs. Raises Failure."""
    import tarfile  # slow to import; an observation only asks `is_unpacked`

    blob, target = machine.blobs / archive["digest"], machine.path(archive["path"])
    if sha256_of(blob) != archive["digest"]:
        raise Failure("integrity", f"archive {archive['digest'][:12]} did not arrive whole")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{_DRAFT}{target.name}")
    remove_tree(draft)
    draft.mkdir(mode=0o755)
    ids = accounts.ids(archive["owner"], archive["group"])
    with tarfile.open(blob) as tar:
        # Members are judged below, the same on every Python; newer ones would judge once more, differently.
        tar.extraction_filter = lambda member, _path: member
        for member in tar:
            _unpack_member(tar, member, draft, ids)
    _own(draft, ids)
    draft.rename(target)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, draft: Path, ids: tuple[int, int]) -> None:
    # tarfile's own filters came with Python 3.12; a host may have 3.10.
    place = PurePosixPath(member.name)
    link = PurePosixPath(member.linkname) if member.issym() or member.islnk() else None
    if place.is_absolute() or ".." in place.parts or (member.islnk() and link and ".." in link.parts):
        raise Failure("refused", f"the archive holds a path that leaves it: {member.name}")
    if link is not None and (link.is_absolute() or _leaves(place, link)):
        raise Failure("refused", f"the archive holds a link that leaves it: {member.name} -> {member.linkname}")
    if not (member.isfile() or member.isdir() or link is not None):
        raise Failure("refused", f"the archive holds neither file, directory nor link: {member.name}")
    if any((draft / parent).is_symlink() for parent in place.parents):
        raise Failure("refused", f"the archive writes through a link: {member.name}")
    member.mode &= 0o755  # no setuid, nothing that group or others can write
    member.uid, member.gid, member.uname, member.gname = *ids, "", ""
    tar.extract(member, draft, set_attrs=not member.issym())


def _leaves(place: PurePosixPath, link: PurePosixPath) -> bool:
    depth = len(place.parts) - 1
    for part in link.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _own(tree: Path, ids: tuple[int, int]) -> None:
    for folder, folders, files in os.walk(tree):
        for name in (".", *folders, *files):
            place = os.path.join(folder, name)  # noqa: PTH118 - a hot loop over thousands of files
            found = os.lstat(place)
            if (found.st_uid, found.st_gid) != ids:
                os.lchown(place, *ids)
