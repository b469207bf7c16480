"""A machine's disk and papers: its own overlay layer above the shared image, and what is remembered of it.

    machines/<name>/machine.json   how it was raised: spec, image, machine id
    machines/<name>/seed.json      digest of each file that was seeded
    machines/<name>/upper/         everything that it ever wrote (kept over kills, stops and `down`)
    machines/<name>/work/          overlayfs' own
    machines/<name>/disk.img       a disk of its own, if it has one: it holds upper/ and work/ then, and upper/ beside it
                                   only what is to be seeded at its next boot
    machines/<name>/disk/          where that is mounted, seen only by the machine
    machines/<name>/root/          where its overlay is mounted, seen only by itself
    machines/<name>/replug.sh      gives it fresh cables when it reboots
    machines/<name>/console.log    what it printed while booting

Holds: only a machine that is not running is written to (overlayfs forbids changing layers beneath a mount);
a seeded file is written again only when what should be seeded changes, so what configuration management did
to it survives a restart.
"""

import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Final

from bastide.lab.command import run
from bastide.lab.errors import LabError, UnknownMachine
from bastide.lab.seed import SeedFile
from bastide.lab.spec import MachineSpec
from bastide.lab.state import LABS, write_json

DISK: Final = "disk.img"
REPLUG: Final = "replug.sh"
"""The script, in a machine's directory, that gives it fresh cables when it reboots."""


@dataclass(frozen=True, kw_only=True)
class Papers:
    """How a machine was raised, as remembered on disk."""

    spec: MachineSpec
    image: Path
    machine_id: str


def machine_dir(lab: str, machine: str, *, labs: Path = LABS) -> Path:
    """Where everything of a machine is kept."""
    return labs / lab / "machines" / machine


def recorded_machines(lab: str, *, labs: Path = LABS) -> tuple[str, ...]:
    """Names of the machines that the lab has a directory for, sorted."""
    parent = labs / lab / "machines"
    return tuple(sorted(path.name for path in parent.iterdir())) if parent.is_dir() else ()


def read_papers(lab: str, machine: str, *, labs: Path = LABS) -> Papers:
    """What is remembered of a machine. Raises `UnknownMachine`."""
    try:
        record = json.loads((machine_dir(lab, machine, labs=labs) / "machine.json").read_text())
    except FileNotFoundError:
        names = ", ".join(recorded_machines(lab, labs=labs)) or "none"
        raise UnknownMachine(
            f"there is no machine {machine!r} in lab {lab!r}", hint=f"Its machines: {names}."
        ) from None
    return Papers(
        spec=MachineSpec.from_record(record["spec"]),
        image=Path(record["image"]),
        machine_id=record["machine_id"],
    )


def recorded_addresses(lab: str, *, labs: Path = LABS) -> dict[str, IPv4Interface]:
    """Private addresses of the machines that the lab has, running or not."""
    found = {}
    for name in recorded_machines(lab, labs=labs):
        # A machine that was interrupted in the making has a folder and no papers, so no address either.
        with suppress(UnknownMachine):
            found[name] = read_papers(lab, name, labs=labs).spec.private
    return {name: address for name, address in found.items() if address is not None}


def prepare_disk(lab: str, spec: MachineSpec, image: Path, *, labs: Path = LABS) -> Papers:
    """Make (or keep) the machine's directories and record how it is raised now.

    A machine keeps the image it began with while that exists: what lies in its upper layer (the account
    files, say) was written above that image, and overlayfs does not define what another one below it means.
    It keeps its disk, too, whatever size is asked for now.
    """
    home = machine_dir(lab, spec.name, labs=labs)
    for part in ("upper", "work", "root"):
        (home / part).mkdir(parents=True, exist_ok=True)
        # Whatever our umask: the upper layer's mode is that of the machine's `/`.
        (home / part).chmod(0o755)
    home.chmod(0o700)
    machine_id = uuid.uuid4().hex
    try:
        before = read_papers(lab, spec.name, labs=labs)
    except UnknownMachine:
        pass
    else:
        machine_id = before.machine_id
        image = before.image if before.image.is_dir() else image
        spec = replace(spec, disk_bytes=before.spec.disk_bytes)
    if spec.disk_bytes is not None:
        _make_image(home, spec.disk_bytes)
    papers = Papers(spec=spec, image=image, machine_id=machine_id)
    write_json(home / "machine.json", {"spec": spec.to_record(), "image": str(image), "machine_id": machine_id})
    return papers


def write_seed(home: Path, files: Mapping[str, SeedFile]) -> None:
    """Put the files into the machine's upper layer, except those that were seeded the same before."""
    record = home / "seed.json"
    seeded: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    for path, file in files.items():
        digest = hashlib.sha256(f"{file.mode:o} {file.content}".encode()).hexdigest()
        if seeded.get(path) != digest:
            _write(home / "upper", path, file)
            seeded[path] = digest
    write_json(record, seeded)
    record.chmod(0o600)


def _make_image(home: Path, size: int) -> None:
    (home / "disk").mkdir(exist_ok=True)
    if (home / DISK).exists():
        return
    draft = home / f"{DISK}.new"
    with draft.open("wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.truncate(size)
    # Nothing is reserved for root: it is to be full when it says so. Nor a journal: a machine that is killed leaves its
    # disk to this computer's kernel, which unmounts it in order.
    run(["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1", str(draft)])
    draft.rename(home / DISK)


def delete_disk(home: Path) -> None:
    """Remove everything that a machine ever wrote."""
    if home.is_dir():
        shutil.rmtree(home)


def _write(upper: Path, path: str, file: SeedFile) -> None:
    parts = path.strip("/").split("/")
    folder = upper
    for part in parts[:-1]:
        folder = folder / part
        # The machine's root user owns this tree: a link planted there must not lead us onto our own disk.
        if folder.is_symlink() or (folder.exists() and not stat.S_ISDIR(folder.lstat().st_mode)):
            raise LabError(f"{folder} is not a directory", hint="Destroy the machine and raise it again.")
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o700 if "root" in folder.relative_to(upper).parts else 0o755)
    draft = folder / f".{parts[-1]}.seed"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(file.content)
    draft.chmod(file.mode)
    draft.rename(folder / parts[-1])
