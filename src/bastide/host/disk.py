"""Writing to disk so that a reader, or a crash, sees the old or the new and nothing between.

In: paths below a machine's root. Out: files, symlinks, digests.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes, *, mode: int, ids: tuple[int, int] | None = None) -> None:
    """Replace a file by one rename; it is never readable with a wider mode or another owner."""
    draft, handle = open_draft(path)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            if ids is not None and ids != (os.geteuid(), os.getegid()):
                os.fchown(stream.fileno(), *ids)
            os.fchmod(stream.fileno(), mode)
        draft.rename(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise


def open_draft(path: Path) -> tuple[Path, int]:
    """A new file beside the path, that only its owner can read, opened for writing."""
    draft = path.with_name(f".{path.name[:60]}.{os.getpid()}-{os.urandom(4).hex()}")
    return draft, os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def write_json(path: Path, record: Any, *, mode: int = 0o600) -> None:
    """Replace a record of ours, and have it on the disk before going on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(record, sort_keys=True).encode() + b"\n", mode=mode)
    sync_path(path)
    sync_path(path.parent)


def read_json(path: Path, default: Any) -> Any:
    """A record of ours, or the default when there is none or it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return default


def switch_symlink(path: Path, target: str) -> None:
    """Point a symlink elsewhere by one rename."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    draft.symlink_to(target)
    draft.rename(path)
    sync_path(path.parent)


def sync_path(path: Path) -> None:
    """fsync a file or a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_filesystem(path: Path) -> None:
    """Have everything below this path's file system on the disk: one call instead of an fsync a file."""
    import ctypes  # needed for this one call, which most conversations never make

    handle = os.open(path, os.O_RDONLY)
    try:
        ctypes.CDLL(None, use_errno=True).syncfs(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str | None:
    """Digest of a regular file's content; None when it is not one."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        digest = hashlib.sha256()
        try:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        except OSError:
            return None
    return digest.hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a symlink, if it is there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def remove_tree(path: Path) -> None:
    """Remove a tree, if it is there."""
    import shutil  # slow to import, and seldom needed

    shutil.rmtree(path, ignore_errors=True)
