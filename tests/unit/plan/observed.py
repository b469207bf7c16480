"""Facts of a host that has exactly one bundle, asked about another; as a real host would answer."""

from __future__ import annotations

import time
from typing import Any

from bastide.bundle.model import HostBundle
from bastide.host.decide import UnitState, unit_stamp
from bastide.host.manifest import all_stopped
from bastide.plan.facts import HostFacts, read_facts

RUNNING: UnitState = {
    "load": "loaded", "active": "active", "sub": "running", "enabled": "enabled", "can_reload": True,
    "waits": False,
}  # fmt: skip


def answer_of(have: HostBundle, wanted: HostBundle) -> dict[str, Any]:
    """What the host says, as plain values."""
    had, asked = have.manifest, wanted.manifest
    digests = {e["path"]: e["sha256"] for e in had["files"]}
    units = {u["name"]: RUNNING for u in asked["units"]}
    masked: UnitState = {**RUNNING, "enabled": "masked"}
    return {
        "hostname": have.host, "os_id": "debian", "os_version": "12", "python": "3.11", "boot_id": "b",
        "uptime_s": 1, "disk_free": 1, "clock": time.time(), "generation": have.digest, "settled": True,
        "phase": "confirmed",
        "manifest": had if have.digest != wanted.digest else None,
        "stamps": {u["name"]: unit_stamp(had, u) for u in had["units"]},  # type: ignore[arg-type]
        "files": digests,
        "differing": [e["path"] for e in asked["files"] if digests.get(e["path"]) != e["sha256"]],
        "missing_packages": [], "missing_users": [],
        "missing_archives": [a["path"] for a in asked["archives"] if a not in had["archives"]],
        "differing_directories": [], "sysctls_differ": had["sysctls"] != asked["sysctls"],
        "units": {**units, **dict.fromkeys(all_stopped(asked["units"]), masked)}, "exists": {},
    }  # fmt: skip


def facts_of(have: HostBundle, wanted: HostBundle) -> HostFacts:
    """The same, typed."""
    return read_facts(have.host, answer_of(have, wanted), wanted.manifest)  # type: ignore[arg-type]
