"""What a host is, in one look: what it has of ours, what differs from that, and what the plan asks about.

In: a question (packages, units, users, paths that the new bundle names). Out: plain JSON values.
Holds: changes nothing; three programs at most are started (dpkg-query, systemctl twice at most).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bastide.host.accounts import missing_users
from bastide.host.archives import is_unpacked
from bastide.host.disk import sha256_of
from bastide.host.machine import Accounts, Machine, read_accounts
from bastide.host.manifest import (
    SYSCTL_FILE,
    DirectoryEntry,
    Manifest,
    all_stopped,
    is_switched,
    sysctl_text,
    validate_manifest,
)
from bastide.host.numbering import highest_number
from bastide.host.packages import missing_packages
from bastide.host.probe import try_probes
from bastide.host.redact import redactor
from bastide.host.state import Activation, current_digest, read_activation, read_manifest, read_stamps
from bastide.host.store import entry_differs, is_built, tree_path
from bastide.host.systemd import failed_units, show_units


def observe(machine: Machine, question: dict[str, Any]) -> dict[str, Any]:
    """Facts about the host, and about the wanted manifest (`question["manifest"]`, may be absent)."""
    live, activation = current_digest(machine), read_activation(machine)
    have = read_manifest(machine, live) if is_built(machine, live) and live else None
    wanted: Manifest | None = question.get("manifest")
    if wanted is not None:
        validate_manifest(wanted, question["digest"])
    exists = {path: os.path.lexists(machine.path(path)) for path in question.get("exists", ())}
    return {
        **machine_facts(machine),
        "generation": live,
        "phase": activation["phase"],
        "token": activation["token"],
        "number": highest_number(machine),
        "on_purpose": activation["on_purpose"],
        "settled": _is_settled(activation, live),
        "manifest": have if have is not None and live != question.get("digest") else None,
        "stamps": read_stamps(machine),
        "exists": exists,
        **(_compare(machine, wanted, have) if wanted is not None else {}),
    }


def machine_facts(machine: Machine) -> dict[str, Any]:
    """What does not depend on us."""
    release = dict(
        line.split("=", 1) for line in _read(machine.path("/etc/os-release")).splitlines() if "=" in line
    )
    return {
        "hostname": os.uname().nodename,
        "os_id": release.get("ID", "").strip('"'),
        "os_version": release.get("VERSION_ID", "").strip('"'),
        "python": ".".join(map(str, sys.version_info[:3])),
        "boot_id": _read(machine.path("/proc/sys/kernel/random/boot_id")).strip(),
        "uptime_s": float((_read(machine.path("/proc/uptime")) or "0").split()[0]),
        "disk_free": _free_bytes(machine.path("/var")),
        "clock": time.time(),
    }


def status(machine: Machine) -> dict[str, Any]:
    """State of the live generation's units, and of the host."""
    live, activation = current_digest(machine), read_activation(machine)
    have = read_manifest(machine, live) if live and is_built(machine, live) else None
    return {
        **machine_facts(machine),
        "generation": live,
        "phase": activation["phase"],
        "applied_at": activation["at"],
        "applied_by": activation["who"],
        "number": activation["number"],
        "commit": activation["commit"],
        "on_purpose": activation["on_purpose"],
        "units": show_units(machine, [u["name"] for u in have["units"]] if have else ()),
        "failed_units": failed_units(machine),
        "addresses": own_addresses(machine),
        "probes": try_probes(machine, have, redactor(machine, have, live)) if have else [],
    }


def own_addresses(machine: Machine) -> list[str]:
    """Addresses that the host holds now, a virtual one among them."""
    shown = machine.run(["ip", "-json", "address", "show", "scope", "global"])
    return [
        a["local"] for link in json.loads(shown.output or "[]") for a in link.get("addr_info", []) if "local" in a
    ]


def _is_settled(activation: Activation, live: str) -> bool:
    """Whether what is live was confirmed, by the controller or by going back to it."""
    expected = {"confirmed": activation["digest"], "rolled-back": activation["previous"]}
    return expected.get(activation["phase"]) == live


def _compare(machine: Machine, wanted: Manifest, have: Manifest | None) -> dict[str, Any]:
    accounts = read_accounts(machine)
    replaced = all_stopped(wanted["units"])
    return {
        "files": disk_digests(machine, wanted, have),
        "differing": _differing(machine, wanted, accounts),
        "missing_packages": missing_packages(machine, wanted["packages"]),
        "missing_users": missing_users(machine, wanted["users"]),
        "missing_archives": [a["path"] for a in wanted["archives"] if not is_unpacked(machine, a)],
        "differing_directories": [
            d["path"] for d in wanted["directories"] if _directory_differs(machine, d, accounts)
        ],
        "sysctls_differ": _read(machine.path(SYSCTL_FILE)) != sysctl_text(wanted["sysctls"]),
        "units": show_units(machine, [*(u["name"] for u in wanted["units"]), *replaced]),
    }


def disk_digests(machine: Machine, wanted: Manifest, have: Manifest | None) -> dict[str, str | None]:
    """sha256 of what stands at each path of both manifests; None where there is no file."""
    paths = [e["path"] for m in (wanted, have) if m for e in m["files"]]
    return {path: sha256_of(_resolved(machine, path)) for path in dict.fromkeys(paths)}


def _differing(machine: Machine, wanted: Manifest, accounts: Accounts) -> list[str]:
    """Paths whose content, mode or owner is not the wanted one."""
    return [e["path"] for e in wanted["files"] if entry_differs(_resolved(machine, e["path"]), e, accounts)]


def _resolved(machine: Machine, path: str) -> Path:
    live = current_digest(machine) if is_switched(path) else ""
    return tree_path(machine, live, path) if live else machine.path(path)


def _directory_differs(machine: Machine, entry: DirectoryEntry, accounts: Accounts) -> bool:
    try:
        found = machine.path(entry["path"]).stat()
    except OSError:
        return True
    owner = (accounts.users.get(entry["owner"]), accounts.groups.get(entry["group"]))
    return (found.st_mode & 0o7777, found.st_uid, found.st_gid) != (entry["mode"], *owner)


def _free_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
