"""What was there before us: remembered when we first touch it, put back when it leaves the spec.

Debian's ssh.service under our unit file, its sshd_config, nginx.service that we mask: a rollback of the first
generation, or a role that leaves, must give these back as they were.
In: units, paths. Out: nothing. Holds: only the first touch is remembered.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence

from bastide.host.disk import remove, write_atomically, write_json
from bastide.host.machine import Machine
from bastide.host.manifest import SYSTEMD
from bastide.host.stage import Tell
from bastide.host.state import read_adopted, read_stamps, write_adopted, write_stamps
from bastide.host.systemd import change_unit, show_units


def adopt_units(machine: Machine, names: Iterable[str]) -> None:
    """Remember how each unit is before we change it."""
    adopted = read_adopted(machine)
    fresh = [name for name in dict.fromkeys(names) if name not in adopted]
    if not fresh:
        return
    for name, state in show_units(machine, fresh).items():
        active = state["active"] == "active"
        # Enabled without running is what installing its package led to, a moment ago; nobody wants that back.
        adopted[name] = {"active": active, "enabled": active and state["enabled"] == "enabled"}
    write_adopted(machine, adopted)


def release_units(machine: Machine, names: Sequence[str], tell: Tell) -> None:
    """Put units that left back to how they were: gone, or running from their package's own file."""
    if not names:
        return
    adopted, stamps = read_adopted(machine), read_stamps(machine)
    for name in names:
        link = machine.path(SYSTEMD + name)
        if link.is_symlink() and str(link.readlink()) == "/dev/null":
            machine.must_run(["systemctl", "unmask", "--quiet", name])
        before = adopted.get(name, {})
        if show_units(machine, [name])[name]["load"] == "loaded":
            if before.get("enabled"):
                machine.run(["systemctl", "enable", "--quiet", name])
            if before.get("active"):
                change_unit(machine, "restart", name)
                tell("unit", name=name, action="given back")
    for name in names:
        adopted.pop(name, None)
        stamps.pop(name, None)
    write_stamps(machine, stamps)
    write_adopted(machine, adopted)


def save_original(machine: Machine, path: str) -> None:
    """Keep the file that stands where we write for the first time."""
    source, kept = machine.path(path), machine.home / "originals" / path.lstrip("/")
    record = kept.with_name(kept.name + ".saved")
    if record.exists():
        return
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    (machine.home / "originals").chmod(0o700)
    stands = source.is_file() and not source.is_symlink()
    if stands:
        shutil.copy2(source, kept)
    found = source.stat() if stands else None
    access = [found.st_mode & 0o7777, found.st_uid, found.st_gid] if found else None
    write_json(record, {"access": access})


def restore_original(machine: Machine, path: str) -> bool:
    """Put the original back; False when there was none."""
    kept = machine.home / "originals" / path.lstrip("/")
    record = kept.with_name(kept.name + ".saved")
    if not record.is_file():
        return False
    access = json.loads(record.read_bytes())["access"]
    if access and kept.is_file():
        mode, uid, gid = access
        write_atomically(machine.path(path), kept.read_bytes(), mode=mode, ids=(uid, gid))
    else:
        remove(machine.path(path))
    remove(kept)
    remove(record)
    return True
