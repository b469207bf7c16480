"""Stage: bring everything that a generation needs onto the host, without changing what runs.

In: a manifest, and the contents that this host lacks, from the controller. Out: a built generation, installed
packages, users, unpacked releases. Holds: interrupted anywhere, the next stage goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from bastide.host.accounts import create_users
from bastide.host.archives import is_unpacked, unpack_archive
from bastide.host.decide import without_touched
from bastide.host.disk import open_draft, remove, sync_filesystem
from bastide.host.errors import Failure
from bastide.host.machine import Machine, read_accounts
from bastide.host.manifest import Manifest, validate_manifest
from bastide.host.packages import install_packages, missing_packages, note_installed, restore_policy
from bastide.host.reserve import keep_reserve
from bastide.host.state import read_stamps, write_stamps
from bastide.host.store import build_generation, damaged_files, is_built, mend_files, missing_contents

Tell = Callable[..., None]
"""Streams an event: its kind, and its fields."""
Receive = Callable[[], "tuple[dict[str, Any], bytes]"]
"""The controller's next message."""


def prepare_state(machine: Machine) -> None:
    """Make our directories, and put right what an interruption left."""
    for path, mode in ((machine.home, 0o755), (machine.generations, 0o755), (machine.blobs, 0o700)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    keep_reserve(machine)
    restore_policy(machine)


def wanted_contents(machine: Machine, manifest: Manifest, digest: str) -> list[str]:
    """Contents that have to be sent before the generation can be built."""
    validate_manifest(manifest, digest)
    packed = [a["digest"] for a in manifest["archives"] if not is_unpacked(machine, a)]
    return missing_contents(machine, [*(f["sha256"] for f in manifest["files"]), *packed])


def receive_contents(machine: Machine, wanted: list[str], receive: Receive) -> int:
    """Take contents from the controller into the blobs; returns the bytes. Raises Failure."""
    total = 0
    for digest in wanted:
        total += _receive_one(machine.blobs, digest, receive)
    return total


def _receive_one(blobs: Path, digest: str, receive: Receive) -> int:
    draft, handle = open_draft(blobs / digest)
    hashed, total = sha256(), 0
    try:
        with os.fdopen(handle, "wb") as stream:
            last = False
            while not last:
                header, body = receive()
                if header.get("blob") != digest:
                    raise Failure("protocol", f"expected content {digest[:12]}")
                hashed.update(body)
                stream.write(body)
                total, last = total + len(body), bool(header.get("last"))
        if hashed.hexdigest() != digest:
            raise Failure("integrity", f"content {digest[:12]} did not arrive whole")
        draft.rename(blobs / digest)
    finally:
        remove(draft)
    return total


def stage_generation(machine: Machine, manifest: Manifest, digest: str, tell: Tell) -> None:
    """Install, create, unpack and build; contents have arrived. Raises Failure."""
    missing = missing_packages(machine, manifest["packages"])
    if missing:
        tell("packages", names=missing)
        install_packages(machine, missing)
        note_installed(machine, missing)
    for name in create_users(machine, manifest["users"]):
        tell("user", name=name)
    accounts = read_accounts(machine)
    for archive in manifest["archives"]:
        if not is_unpacked(machine, archive):
            unpack_archive(machine, archive, accounts)
            tell("unpacked", path=archive["path"])
    if is_built(machine, digest):
        damaged = damaged_files(machine, digest, manifest, accounts)
        if damaged:
            # First the stamps: units must see the mended files even if we are interrupted right after mending.
            paths = [entry["path"] for entry in damaged]
            write_stamps(machine, without_touched(read_stamps(machine), manifest["units"], paths))
            mend_files(machine, digest, damaged, accounts)
            tell("mended", paths=paths)
        (machine.generations / digest).touch()
    else:
        build_generation(machine, digest, manifest, accounts)
    sync_filesystem(machine.generations)
