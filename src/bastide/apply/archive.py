"""A folder -> a tar that depends on nothing but the files' names, contents and executable bits.

In: a folder and what to leave out. Out: entries, then a gzip tar with its digest.
Holds: sorted names, no owner, no clock; nothing in it leads out of it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from bastide.apply.release_failed import ReleaseFailed

_PRIVATE_KEY = re.compile(rb"^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----", re.MULTILINE)
_PRIVATE_KEY_WINDOW = 65536
_ENVIRONMENT_FILE = re.compile(r"\.env(\.(?!example$|sample$|template$|dist$).*)?")
_SETTLED_NS = 3_000_000_000
_FIRST_TIME, _TIMES = 1_000_000_000, 500_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file or symlink, and its place in the archive."""

    name: str
    source: Path
    link: str | None = None

    def below(self, folder: str) -> Entry:
        """The same, in a folder of the archive."""
        return replace(self, name=f"{folder}/{self.name}")


def collect_tree(folder: Path, exclude: Sequence[str]) -> list[Entry]:
    """Entries of a folder, sorted. `exclude`: names anywhere, or paths from the folder, with `*` and `?`."""
    if not folder.is_dir():
        raise ReleaseFailed(
            f"{folder} is not a folder", hint="correct the path in the spec; it is relative to the spec's file"
        )
    entries = (_entry(folder, path) for path in _walk(folder, folder, tuple(exclude)))
    return sorted(entries, key=lambda entry: entry.name)


def leave_out_secrets(entries: Sequence[Entry], on_progress: Callable[[str], None]) -> list[Entry]:
    """Entries without `.env` files, which is said. Raises ReleaseFailed for a private key."""
    kept = []
    for entry in entries:
        if _ENVIRONMENT_FILE.fullmatch(entry.source.name):
            on_progress(f"{entry.source} is not shipped: secrets belong in app.secrets")
            continue
        if entry.link is None and _holds_private_key(entry.source):
            raise ReleaseFailed(
                f"{entry.source} holds a private key",
                hint="name it in app.exclude, and hand it over as a secret (app.secrets)",
            )
        kept.append(entry)
    return kept


def _holds_private_key(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(_PRIVATE_KEY.search(file.read(_PRIVATE_KEY_WINDOW)))


def _walk(root: Path, folder: Path, exclude: tuple[str, ...]) -> Iterator[Path]:
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        if any(fnmatchcase(path.name, p) or fnmatchcase(name, p.strip("/").removeprefix("./")) for p in exclude):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(root, path, exclude)
        elif path.is_symlink() or path.is_file():
            yield path
        else:
            raise ReleaseFailed(f"{path} is neither a file, a folder nor a symlink", hint="name it in app.exclude")


def _entry(root: Path, path: Path) -> Entry:
    name = path.relative_to(root).as_posix()
    if path.is_symlink():
        target = path.readlink()
        inside = os.path.normpath(PurePosixPath(name).parent / target)
        if target.is_absolute() or inside == ".." or inside.startswith("../"):
            raise ReleaseFailed(
                f"{path} is a symlink that leaves its folder: {target}",
                hint="copy what it points to into the folder, or name it in app.exclude",
            )
        return Entry(name=name, source=path, link=target.as_posix())
    return Entry(name=name, source=path)


def fingerprint_files(entries: Sequence[Entry]) -> str:
    """Stands for the contents without reading them, as git's index does; empty while a file is too young for that.

    A file's change time moves with each write and with each rename over it, and nobody can set it. Two writes within
    one tick of the clock could share it, so it is trusted only once it is a few seconds old.
    """
    hashed, newest = hashlib.sha256(), 0
    for entry in entries:
        found = entry.source.lstat()
        newest = max(newest, found.st_ctime_ns)
        facts = (found.st_size, found.st_mode, found.st_ino, found.st_dev, found.st_mtime_ns, found.st_ctime_ns)
        hashed.update(repr((entry.name, str(entry.source), entry.link, facts)).encode())
    return hashed.hexdigest() if abs(time.time_ns() - newest) > _SETTLED_NS else ""


def write_archive(entries: Sequence[Entry], target: IO[bytes]) -> tuple[str, int]:
    """Write the gzip tar. Out: its sha256, and its size in bytes."""
    counted = _Counted(target)
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=counted, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for folder in _folders(entries):
            head = tarfile.TarInfo(folder)
            head.type, head.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(head)
        for entry in sorted(entries, key=lambda entry: entry.name):
            _add(tar, entry)
    return counted.digest.hexdigest(), counted.size


def _folders(entries: Sequence[Entry]) -> list[str]:
    parents = {str(p) for entry in entries for p in PurePosixPath(entry.name).parents}
    return sorted(parents - {"."})


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    head = tarfile.TarInfo(entry.name)
    if entry.link is not None:
        head.type, head.linkname, head.mode = tarfile.SYMTYPE, entry.link, 0o777
        tar.addfile(head)
        return
    content = entry.source.read_bytes()
    head.size = len(content)
    head.mode = 0o755 if entry.source.stat().st_mode & 0o100 else 0o644
    head.mtime = _time_of(content)
    tar.addfile(head, io.BytesIO(content))


def _time_of(content: bytes) -> int:
    """A time that stands for the content.

    nginx makes ETag and Last-Modified of a file's time and size. With one time for all, a changed file of the same
    size would be "not modified" for ever; with the real one, the archive would differ on every machine.
    """
    return _FIRST_TIME + int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % _TIMES


class _Counted(io.RawIOBase):
    """Passes bytes on, and knows their digest and number."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target, self.digest, self.size = target, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.digest.update(data)
        self.size += len(data)
        return self._target.write(data)
