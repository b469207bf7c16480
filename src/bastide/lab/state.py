"""What this computer remembers of its labs: one directory a lab, readable by root alone.

    /var/lib/bastide/labs/<lab>/lab.json                   the lab's slot
    /var/lib/bastide/labs/<lab>/machines/<name>/           see `lab.disk`

In: names. Out: the networks of a lab. Holds: a lab keeps its slot for life, no two labs have the same, and a
slot whose bridges exist without a directory (someone deleted it by hand) is not given away.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bastide.lab.errors import LabError
from bastide.lab.locks import locked
from bastide.lab.names import MAX_LABS, LabNetworks, check_name, lab_networks

__all__ = ["LABS", "LabNetworks", "find_networks", "known_labs", "lab_lock", "reserve_networks"]

LABS: Final = Path("/var/lib/bastide/labs")
_INTERFACES: Final = Path("/sys/class/net")


def reserve_networks(lab: str, *, labs: Path = LABS, interfaces: Path = _INTERFACES) -> LabNetworks:
    """The lab's networks, reserved now if they were not yet. Raises `LabError` when all slots are taken."""
    check_name("lab", lab)
    labs.mkdir(parents=True, exist_ok=True, mode=0o700)
    labs.chmod(0o700)
    with locked(labs / ".lock"):
        known = find_networks(lab, labs=labs)
        if known is not None:
            return known
        networks = lab_networks(_free_slot(labs, interfaces))
        (labs / lab).mkdir(mode=0o700, exist_ok=True)
        write_json(labs / lab / "lab.json", {"index": networks.index})
        return networks


def find_networks(lab: str, *, labs: Path = LABS) -> LabNetworks | None:
    """The networks that the lab has, or None when there is no such lab."""
    try:
        record = json.loads((labs / check_name("lab", lab) / "lab.json").read_text())
    except FileNotFoundError:
        return None
    except PermissionError as denied:
        raise LabError("labs are root's alone on this computer", hint="Run it as root (sudo).") from denied
    return lab_networks(int(record["index"]))


def known_labs(*, labs: Path = LABS) -> tuple[str, ...]:
    """Names of the labs that have a slot, sorted."""
    return tuple(sorted(path.parent.name for path in labs.glob("*/lab.json")))


@contextmanager
def lab_lock(lab: str, *, labs: Path = LABS) -> Iterator[None]:
    """Hold the lab: nobody else starts, stops or removes its machines meanwhile."""
    with locked(labs / f".{check_name('lab', lab)}.lock"):
        yield


def forget_lock(lab: str, *, labs: Path = LABS) -> None:
    """Remove the lab's lock file; only for who holds it (`locks` lets the waiting ones notice)."""
    (labs / f".{lab}.lock").unlink(missing_ok=True)


def write_json(path: Path, record: object) -> None:
    """Write atomically: a reader, or a crash, sees the old record or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    draft.rename(path)


def _free_slot(labs: Path, interfaces: Path) -> int:
    taken = {int(json.loads(path.read_text())["index"]) for path in labs.glob("*/lab.json")}
    for index in range(MAX_LABS):
        networks = lab_networks(index)
        bridges = (networks.public_bridge, networks.private_bridge)
        if index not in taken and not any((interfaces / bridge).exists() for bridge in bridges):
            return index
    raise LabError("every lab slot is taken", hint="Destroy a lab that you no longer need.")
