"""Generations on disk: trees shaped like the host, and the contents that they are built from.

    generations/<digest>/manifest.json, etc/bastide/…, etc/systemd/system/…
    blobs/<sha256>                      arrived, not used up yet

In: a manifest. Out: a finished tree. Holds: a directory with a digest's name is whole (it is built beside and
renamed), except where someone changed it afterwards, which `mend_files` repairs file by file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bastide.host.disk import read_json, remove, remove_tree, sha256_of, write_atomically, write_json
from bastide.host.errors import Failure
from bastide.host.machine import Accounts, Machine
from bastide.host.manifest import FileEntry, Manifest

_DRAFT = ".stage-"


def tree_path(machine: Machine, digest: str, path: str) -> Path:
    """Where a generation keeps the file of that final path."""
    return machine.generations / digest / path.lstrip("/")


def is_built(machine: Machine, digest: str) -> bool:
    """Whether the generation was staged to its end."""
    return (machine.generations / digest / "manifest.json").is_file()


def known_contents(machine: Machine) -> dict[str, Path]:
    """Contents that this host has already, by sha256, as the manifests say: verify before use."""
    found: dict[str, Path] = {}
    for record in sorted(machine.generations.glob("*/manifest.json")):
        manifest = read_json(record, None)
        for entry in manifest["files"] if manifest else ():
            found.setdefault(entry["sha256"], record.parent / entry["path"].lstrip("/"))
    for blob in machine.blobs.glob("*"):
        found[blob.name] = blob
    return found


def missing_contents(machine: Machine, digests: Iterable[str]) -> list[str]:
    """Which of these contents have to be sent."""
    known = known_contents(machine)
    return [d for d in dict.fromkeys(digests) if d not in known or sha256_of(known[d]) != d]


def read_content(known: dict[str, Path], digest: str) -> bytes:
    """One content, verified. Raises Failure."""
    path = known.get(digest)
    if path is None or sha256_of(path) != digest:
        raise Failure("integrity", f"content {digest[:12]} is not on this host")
    return path.read_bytes()


def build_generation(machine: Machine, digest: str, manifest: Manifest, accounts: Accounts) -> None:
    """Build the tree beside, then give it its name."""
    for leftover in machine.generations.glob(f"{_DRAFT}*"):
        remove_tree(leftover)
    known = known_contents(machine)
    draft = machine.generations / f"{_DRAFT}{digest}"
    draft.mkdir(mode=0o755, parents=True)
    for entry in manifest["files"]:
        _write_entry(draft / entry["path"].lstrip("/"), read_content(known, entry["sha256"]), entry, accounts)
    # Services resolve /etc/bastide through it, so it exists even when it is empty.
    _make_parents(draft / "etc/bastide/x")
    write_json(draft / "manifest.json", manifest)
    remove_tree(machine.generations / digest)  # what an interrupted prune left
    draft.rename(machine.generations / digest)


def damaged_files(machine: Machine, digest: str, manifest: Manifest, accounts: Accounts) -> list[FileEntry]:
    """Files of a finished tree that someone changed."""
    return [e for e in manifest["files"] if entry_differs(tree_path(machine, digest, e["path"]), e, accounts)]


def mend_files(machine: Machine, digest: str, damaged: Iterable[FileEntry], accounts: Accounts) -> None:
    """Write these files of a finished tree anew, each atomically."""
    known = known_contents(machine)
    for entry in damaged:
        target = tree_path(machine, digest, entry["path"])
        _write_entry(target, read_content(known, entry["sha256"]), entry, accounts)


def entry_differs(path: Path, entry: FileEntry, accounts: Accounts) -> bool:
    """Whether the file on disk is not the one that the manifest means."""
    try:
        found = path.lstat()
    except OSError:
        return True
    wanted = (accounts.users.get(entry["owner"]), accounts.groups.get(entry["group"]))
    same_access = found.st_mode & 0o7777 == entry["mode"] and (found.st_uid, found.st_gid) == wanted
    return not (same_access and found.st_size == entry["size"] and sha256_of(path) == entry["sha256"])


def prune(machine: Machine, *, keep: int, needed: Iterable[str]) -> list[str]:
    """Remove all but the newest `keep` generations and those needed, and every blob; returns what went."""
    finished = [p for p in machine.generations.iterdir() if not p.name.startswith(".")]
    newest = sorted(finished, key=lambda p: p.stat().st_mtime, reverse=True)
    kept = {p.name for p in newest[:keep]} | set(needed)
    gone = [p for p in newest if p.name not in kept]
    for generation in gone:
        # The manifest first: a tree without one is not taken for finished if we are interrupted.
        remove(generation / "manifest.json")
        remove_tree(generation)
    for blob in machine.blobs.glob("*"):
        remove(blob)
    return [p.name for p in gone]


def _write_entry(path: Path, content: bytes, entry: FileEntry, accounts: Accounts) -> None:
    _make_parents(path)
    write_atomically(path, content, mode=entry["mode"], ids=accounts.ids(entry["owner"], entry["group"]))


def _make_parents(path: Path) -> None:
    missing = [p for p in path.parents if not p.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        parent.chmod(0o755)  # whatever the umask is
