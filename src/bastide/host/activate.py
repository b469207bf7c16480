"""Activate: make a generation the one that runs; the same function puts an older one, or none, back.

In: a built generation's manifest, and the manifests of what may be on the disk now. Out: what was done to which
unit. Holds: idempotent; interrupted anywhere, running it again finishes, because units are judged by their stamps.
Order: what left stops, Debian's own units make way, files, the switch, what left is removed, units in order.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from bastide.host.adopt import adopt_units, release_units, restore_original, save_original
from bastide.host.decide import decide_unit, is_settled, needs_enabling, unit_stamp, without_touched
from bastide.host.disk import read_json, remove, switch_symlink, write_atomically, write_json
from bastide.host.draining import drain_unit
from bastide.host.errors import Failure
from bastide.host.machine import Accounts, Machine, read_accounts
from bastide.host.manifest import (
    SYSCTL_FILE,
    SYSTEMD,
    DirectoryEntry,
    Manifest,
    all_stopped,
    is_switched,
    sysctl_text,
)
from bastide.host.stage import Tell
from bastide.host.state import read_stamps, write_stamps
from bastide.host.store import entry_differs, tree_path
from bastide.host.systemd import change_unit, reads_old_files, show_units, systemctl, unit_failure


def bring_up(
    machine: Machine,
    manifest: Manifest,
    digest: str,
    before: Sequence[Manifest],
    tell: Tell,
    *,
    drain_s: float = 5.0,
) -> list[str]:
    """Make this generation the live one; `before` are the manifests that may be (partly) live. Raises Failure.

    Returns the units that were started anew. `drain_s`: how long their running requests may take to end.
    """
    accounts = read_accounts(machine)
    leaving = _leaving_units(manifest, before)
    replaced = all_stopped(manifest["units"])
    adopt_units(machine, [*(u["name"] for u in manifest["units"]), *replaced])
    _stop_leaving(machine, leaving, tell)
    masked = _mask(machine, replaced)
    for directory in manifest["directories"]:
        make_directory(machine, directory, accounts)
    changed = _write_files(machine, manifest, digest, accounts, tell)
    _switch(machine, digest, empty=not manifest["files"])
    changed += _remove_files(machine, manifest, before, tell)
    _apply_sysctls(machine, manifest, before, tell)
    names = [u["name"] for u in manifest["units"]]
    no_longer_replaced = {n for m in before for n in all_stopped(m["units"])} - set(replaced)
    released = [name for name in (*leaving, *sorted(no_longer_replaced)) if name not in names]
    if masked or any(path.startswith(SYSTEMD) for path in changed) or reads_old_files(machine, names):
        # Enabled first, so that one reload of systemd takes it all in: each costs it a tenth of a second or two.
        states = show_units(machine, names)
        _enable(machine, [name for name in names if needs_enabling(states[name])], reload=False)
        machine.must_run(["systemctl", "daemon-reload"])
    release_units(machine, released, tell)
    return _run_units(machine, manifest, tell, drain_s)


def make_directory(machine: Machine, entry: DirectoryEntry, accounts: Accounts) -> None:
    """Have the directory with its mode and owner; what it holds is left alone."""
    path = machine.path(entry["path"])
    path.mkdir(parents=True, exist_ok=True)
    found, ids = path.stat(), accounts.ids(entry["owner"], entry["group"])
    if (found.st_uid, found.st_gid) != ids:
        os.chown(path, *ids)
    if found.st_mode & 0o7777 != entry["mode"]:
        path.chmod(entry["mode"])


def _leaving_units(manifest: Manifest, before: Sequence[Manifest]) -> list[str]:
    staying = {u["name"] for u in manifest["units"]}
    had = dict.fromkeys(u["name"] for m in before for u in reversed(m["units"]))
    return [name for name in had if name not in staying]


def _stop_leaving(machine: Machine, leaving: Sequence[str], tell: Tell) -> None:
    """Last started, first stopped. `release_units` later brings back what was there before us."""
    states = show_units(machine, leaving)
    for name in leaving:
        # Logins must go on: sshd is never stopped, only restarted with Debian's unit later.
        if name in ("ssh.service", "sshd.service", "ssh.socket"):
            continue
        if states[name]["load"] == "not-found" and states[name]["active"] == "inactive":
            continue
        machine.run(["systemctl", "disable", "--quiet", name])
        change_unit(machine, "stop", name)
        tell("unit", name=name, action="stop")


def _mask(machine: Machine, replaced: Sequence[str]) -> bool:
    """Have them stopped and masked; True when systemd has yet to be told (`daemon-reload`)."""
    unmasked = [n for n in replaced if not _is_masked(machine, n)]
    if unmasked:
        machine.run(["systemctl", "disable", "--quiet", "--no-reload", *unmasked])
        machine.run(["systemctl", "stop", "--quiet", *unmasked])  # those that do not exist cannot be stopped
        systemctl(machine, "mask", *unmasked, reload=False)
    return bool(unmasked)


def _is_masked(machine: Machine, unit: str) -> bool:
    link = machine.path(SYSTEMD + unit)
    return link.is_symlink() and str(link.readlink()) == "/dev/null"


def _write_files(machine: Machine, manifest: Manifest, digest: str, accounts: Accounts, tell: Tell) -> list[str]:
    """Replace the files outside /etc/bastide that differ."""
    entries = [e for e in manifest["files"] if not is_switched(e["path"])]
    differing = [e for e in entries if entry_differs(machine.path(e["path"]), e, accounts)]
    if not differing:
        return []
    paths = [e["path"] for e in differing]
    # Stamps first: if we are interrupted, the units that watch these files are still seen to.
    write_stamps(machine, without_touched(read_stamps(machine), manifest["units"], paths))
    for entry in differing:
        path = machine.path(entry["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        save_original(machine, entry["path"])
        content = tree_path(machine, digest, entry["path"]).read_bytes()
        write_atomically(path, content, mode=entry["mode"], ids=accounts.ids(entry["owner"], entry["group"]))
    tell("files", written=paths)
    return paths


def _switch(machine: Machine, digest: str, *, empty: bool) -> None:
    link = machine.path("/etc/bastide")
    if not digest:
        remove(link)
        remove(machine.current)
        return
    if link.exists() and not link.is_symlink():
        raise Failure("refused", "/etc/bastide is there and is not ours", hint="Move it away, then apply again.")
    target = f"generations/{digest}"
    if not machine.current.is_symlink() or str(machine.current.readlink()) != target:
        switch_symlink(machine.current, target)
    if empty:
        remove(link)  # a host that was decommissioned has nothing of ours
        return
    # Relative, so that it also leads home when the root is not the machine's.
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        switch_symlink(link, "../var/lib/bastide/current/etc/bastide")


def _remove_files(machine: Machine, manifest: Manifest, before: Sequence[Manifest], tell: Tell) -> list[str]:
    staying = {e["path"] for e in manifest["files"]}
    had = dict.fromkeys(e["path"] for m in before for e in m["files"])
    gone = [path for path in had if path not in staying and not is_switched(path)]
    for path in gone:
        if not restore_original(machine, path):
            remove(machine.path(path))
    for directory in sorted({d["path"] for m in before for d in m["directories"]}, reverse=True):
        _remove_empty(machine, directory, manifest)
    if gone:
        tell("files", removed=gone)
    return gone


def _remove_empty(machine: Machine, directory: str, manifest: Manifest) -> None:
    if directory in {d["path"] for d in manifest["directories"]}:
        return
    try:
        machine.path(directory).rmdir()
    except OSError:
        return  # it holds something, so it stays


def _apply_sysctls(machine: Machine, manifest: Manifest, before: Sequence[Manifest], tell: Tell) -> None:
    path, text = machine.path(SYSCTL_FILE), sysctl_text(manifest["sysctls"]).encode()
    _restore_sysctls(machine, {k for m in before for k in m["sysctls"]} - manifest["sysctls"].keys())
    if not text:
        if any(m["sysctls"] for m in before):
            remove(path)
        return
    if path.is_file() and path.read_bytes() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    originals = read_json(machine.home / "sysctls.json", {})
    for key in manifest["sysctls"].keys() - originals.keys():
        with contextlib.suppress(OSError):
            originals[key] = _sysctl_path(machine, key).read_text().strip()
    write_json(machine.home / "sysctls.json", originals)
    for key, value in manifest["sysctls"].items():
        try:
            _sysctl_path(machine, key).write_text(value)
        except OSError as refused:
            # Containers own some settings only; whoever needs one proves it by a probe.
            tell("warning", text=f"kernel setting {key} cannot be set here: {refused.strerror}")
    write_atomically(path, text, mode=0o644)


def _restore_sysctls(machine: Machine, leaving: set[str]) -> None:
    """Kernel settings that left get back the values that they had before us."""
    if not leaving:
        return
    originals = read_json(machine.home / "sysctls.json", {})
    for key in sorted(leaving):
        value = originals.pop(key, None)
        if value is not None:
            with contextlib.suppress(OSError):
                _sysctl_path(machine, key).write_text(value)
    write_json(machine.home / "sysctls.json", originals)


def _sysctl_path(machine: Machine, key: str) -> Path:
    return machine.path("/proc/sys/" + key.replace("/", "\0").replace(".", "/").replace("\0", "."))


def _run_units(machine: Machine, manifest: Manifest, tell: Tell, drain_s: float) -> list[str]:
    """Bring every unit to the manifest, in order; returns those that were started anew."""
    units = manifest["units"]
    states = show_units(machine, (u["name"] for u in units))
    stamps = {n: s for n, s in read_stamps(machine).items() if n in states}
    actions = [decide_unit(manifest, unit, stamps.get(unit["name"]), states[unit["name"]]) for unit in units]
    _enable(machine, [action.name for action in actions if action.enable])
    for unit, wanted in zip(units, actions, strict=True):
        if wanted.action != "none":
            verb = "reload" if wanted.action == "reload" else "restart"
            if wanted.action == "restart":
                drain_unit(machine, unit, drain_s, tell)
            change_unit(machine, verb, wanted.name)
            if not is_settled(unit, show_units(machine, [wanted.name])[wanted.name]):
                raise unit_failure(machine, wanted.name, f"{wanted.name} does not run after its {wanted.action}")
            tell("unit", name=wanted.name, action=wanted.action)
        stamps[wanted.name] = unit_stamp(manifest, unit)
        if wanted.action != "none":
            write_stamps(machine, stamps)
    write_stamps(machine, stamps)
    return [action.name for action in actions if action.action in ("start", "restart")]


def _enable(machine: Machine, names: Sequence[str], *, reload: bool = True) -> None:
    systemctl(machine, "unmask", *(name for name in names if _is_masked(machine, name)), reload=reload)
    systemctl(machine, "enable", *names, reload=reload)


def verify_units(machine: Machine, manifest: Manifest) -> None:
    """Raise Failure unless every unit runs."""
    states = show_units(machine, (u["name"] for u in manifest["units"]))
    for unit in manifest["units"]:
        state = states[unit["name"]]
        if not is_settled(unit, state):
            raise unit_failure(machine, unit["name"], f"{unit['name']} does not run")
