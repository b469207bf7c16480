"""What has to be done to which unit: decided here for the host that does it and for the plan that announces it.

A *stamp* says with which files a unit was last started (`restart`) or reloaded (`reload`). Comparing stamps, not
manifests, makes activation safe to interrupt: a unit whose turn had not come still carries its old stamp.
In: a manifest, stamps, units' states. Out: actions. Holds: pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from bastide.host.manifest import SYSTEMD, Manifest, UnitEntry, below, lies_in

Action = Literal["restart", "reload", "start", "none"]


class Stamp(TypedDict):
    """What a unit last saw, as digests; an empty text matches nothing."""

    restart: str
    reload: str


class UnitState(TypedDict):
    """What systemd says of a unit."""

    load: str
    active: str
    sub: str
    enabled: str
    """UnitFileState: enabled, disabled, static, masked, …; empty if there is no such file."""
    can_reload: bool
    waits: bool
    """A condition in its file kept it from its last start."""


@dataclass(frozen=True)
class UnitAction:
    """What one unit needs."""

    name: str
    action: Action
    enable: bool

    @property
    def nothing(self) -> bool:
        """Whether the unit is as it should be."""
        return self.action == "none" and not self.enable


NOT_KNOWN: UnitState = {
    "load": "not-found",
    "active": "inactive",
    "sub": "dead",
    "enabled": "",
    "can_reload": False,
    "waits": False,
}


def restart_paths(unit: UnitEntry) -> tuple[str, ...]:
    """Prefixes whose change needs a restart: the unit's own file, its drop-ins, and what it names."""
    names = {unit["name"]}
    stem, at, instance = unit["name"].partition("@")
    if at:
        names.add(f"{stem}@.{instance.rpartition('.')[2]}")
    own = (path for name in sorted(names) for path in (SYSTEMD + name, f"{SYSTEMD}{name}.d"))
    return (*own, *unit["restart_on"])


def unit_stamp(manifest: Manifest, unit: UnitEntry) -> Stamp:
    """What the unit has seen once it was started from this manifest."""
    return {
        "restart": _seen(manifest, restart_paths(unit)),
        "reload": _seen(manifest, unit["reload_on"]),
    }


def _seen(manifest: Manifest, prefixes: Iterable[str]) -> str:
    wanted = below(prefixes)
    files = [
        [f["path"], f["sha256"], f["mode"], f["owner"], f["group"]] for f in manifest["files"] if wanted(f["path"])
    ]
    archives = [[a["path"], a["digest"]] for a in manifest["archives"] if wanted(a["path"])]
    return hashlib.sha256(json.dumps([sorted(files), sorted(archives)]).encode()).hexdigest()


def without_touched(
    stamps: Mapping[str, Stamp], units: Iterable[UnitEntry], paths: Iterable[str]
) -> dict[str, Stamp]:
    """The stamps, blanked where a unit watches one of these paths, which are about to be written."""
    touched, kept = tuple(paths), dict(stamps)
    for unit in units:
        stamp = kept.get(unit["name"])
        if stamp is None:
            continue
        restart = any(lies_in(path, restart_paths(unit)) for path in touched)
        reload = any(lies_in(path, unit["reload_on"]) for path in touched)
        kept[unit["name"]] = {
            "restart": "" if restart else stamp["restart"],
            "reload": "" if reload else stamp["reload"],
        }
    return kept


def is_settled(unit: UnitEntry, state: UnitState) -> bool:
    """Whether the unit runs, or does not run because it need not."""
    if unit["kind"] == "oneshot":
        return state["active"] != "failed"
    return is_running(state) or (
        unit.get("may_wait", False) and state.get("waits", False) and state["active"] == "inactive"
    )


def decide_unit(manifest: Manifest, unit: UnitEntry, stamp: Stamp | None, state: UnitState) -> UnitAction:
    """What this unit needs so that it runs with this manifest."""
    wanted = unit_stamp(manifest, unit)
    return UnitAction(unit["name"], _action(unit, stamp, wanted, state), needs_enabling(state))


def needs_enabling(state: UnitState) -> bool:
    """Whether the unit would not start by itself at the next boot, and could."""
    return state["enabled"] in ("disabled", "masked", "masked-runtime", "enabled-runtime", "")


def _action(unit: UnitEntry, stamp: Stamp | None, wanted: Stamp, state: UnitState) -> Action:
    running = is_running(state)
    if stamp is None or stamp["restart"] != wanted["restart"]:
        return "restart" if running else "start"
    if unit["kind"] == "oneshot":
        # A oneshot without RemainAfterExit is inactive when all is well; only a changed input runs it again.
        if stamp["reload"] != wanted["reload"]:
            return ("reload" if state["can_reload"] else "restart") if running else "start"
        return "start" if state["active"] == "failed" else "none"
    if not running:
        # What waits for its condition reads its files when its time has come.
        return "none" if is_settled(unit, state) else "start"
    if stamp["reload"] != wanted["reload"]:
        return "reload" if state["can_reload"] else "restart"
    return "none"


def is_running(state: UnitState) -> bool:
    """Whether the unit runs, or is on its way; a service that systemd keeps restarting is not."""
    return state["active"] in ("active", "reloading") or (
        state["active"] == "activating" and state["sub"] != "auto-restart"
    )
