"""Files that only their owner may read, written whole or not at all.

In: paths and bytes. Out: files and directories of mode 0600 and 0700 (whatever the umask), or PkiError.
Holds: a reader never sees half a file; after a power cut a durable one has the old content or the new. Writers of
one directory take its lock, so the temporary name can be fixed and an interrupted write leaves no litter behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bastide.pki.errors import PkiError

LOCK = "lock"


def private_directory(path: Path) -> None:
    """Make the directory and what is missing above it, mode 0700; an existing one is closed to others."""
    try:
        if not path.parent.exists():
            private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise _unusable("make", path, error) from error


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; a second process (or a second call in this one) waits for the first."""
    private_directory(directory)
    try:
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable("lock", directory, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_file(path: Path, content: str, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the file by `content` (UTF-8). The caller holds the lock.

    It is on disk when this returns, unless `durable` is False: for what is recognised as damaged after a power cut
    and can be made anew (forcing 2,000 files to a busy disk took 12 s; without, 2 s).
    """
    temporary = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, mode), "wb") as file:  # noqa: PTH123 (the mode must hold from the start)
            os.fchmod(file.fileno(), mode)
            file.write(content.encode())
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        raise _unusable("write", path, error) from error


def read_file(path: Path, *, mode: int = 0o600) -> str | None:
    """Content of one of our own files, None if there is no such file, "" if it is not text.

    Rights beyond `mode` are taken from the file: it may have been restored from a careless backup.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o777 & ~mode:
                os.fchmod(file.fileno(), mode)
            return file.read().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise _unusable("read", path, error) from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(verb: str, path: Path, error: OSError) -> PkiError:
    return PkiError(
        f"cannot {verb} {path}: {error.strerror}",
        hint="check its owner, its mode and the space on its disk; the user who runs this must own it",
    )
