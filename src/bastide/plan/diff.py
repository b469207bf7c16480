"""Bundle minus facts: what one host needs.

In: a HostBundle and the facts observed with it in mind. Out: HostPlan. Holds: pure; no step when nothing differs.
The host judges its units by the same function (`host.decide`) when it activates.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.bundle.model import HostBundle
from bastide.host.decide import NOT_KNOWN, decide_unit, unit_stamp, without_touched
from bastide.host.manifest import Manifest, all_stopped
from bastide.plan.facts import HostFacts
from bastide.plan.steps import (
    CreateUser,
    HostPlan,
    InstallPackages,
    LeavePackages,
    MakeDirectory,
    MaskUnit,
    ReloadUnit,
    RemoveFile,
    RemoveUnit,
    RemoveUser,
    RestartUnit,
    SetSysctls,
    Settle,
    StartUnit,
    Step,
    UnpackArchive,
    WriteFile,
)


def diff_host(bundle: HostBundle, facts: HostFacts) -> HostPlan:
    """The steps that bring this host to its bundle."""
    wanted: Manifest = bundle.manifest  # type: ignore[assignment]
    steps: list[Step] = [
        *_preparations(bundle, facts),
        *_removed_units(wanted, facts),
        *(MaskUnit(name=n) for n in all_stopped(wanted["units"]) if facts.units[n]["enabled"] != "masked"),
        *_directories(wanted, facts),
        *_files(wanted, facts),
        *_sysctls(bundle, facts),
        *_units(wanted, facts),
        *_removed_users(wanted, facts),
        *_left_packages(wanted, facts),
    ]
    if not steps and facts.generation != bundle.digest:
        steps.append(Settle(why="what the host checks and probes changed"))
    elif not steps and not facts.settled:
        steps.append(Settle(why="the last apply was not finished"))
    return HostPlan(
        host=bundle.host, digest=bundle.digest, fresh=facts.fresh, steps=tuple(steps), on_purpose=facts.on_purpose
    )


def _preparations(bundle: HostBundle, facts: HostFacts) -> Iterator[Step]:
    had_packages, had_users = set(facts.manifest["packages"]), {u["name"] for u in facts.manifest["users"]}
    for drifted in (False, True):
        packages = tuple(name for name in facts.missing_packages if (name in had_packages) is drifted)
        if packages:
            yield InstallPackages(packages=packages, drifted=drifted)
    for name in facts.missing_users:
        yield CreateUser(name=name, drifted=name in had_users)
    for archive in bundle.archives:
        if archive.path in facts.missing_archives:
            yield UnpackArchive(path=archive.path, digest=archive.digest, size=archive.size)


def _removed_units(wanted: Manifest, facts: HostFacts) -> Iterator[Step]:
    staying = {unit["name"] for unit in wanted["units"]}
    for unit in reversed(facts.manifest["units"]):
        if unit["name"] not in staying:
            yield RemoveUnit(name=unit["name"])


def _removed_users(wanted: Manifest, facts: HostFacts) -> Iterator[Step]:
    staying = {user["name"] for user in wanted["users"]}
    yield from (RemoveUser(name=u["name"]) for u in facts.manifest["users"] if u["name"] not in staying)


def _left_packages(wanted: Manifest, facts: HostFacts) -> Iterator[Step]:
    left = tuple(name for name in facts.manifest["packages"] if name not in wanted["packages"])
    if left:
        yield LeavePackages(packages=left)


def _directories(wanted: Manifest, facts: HostFacts) -> Iterator[Step]:
    had = {entry["path"]: entry for entry in facts.manifest["directories"]}
    for entry in wanted["directories"]:
        if entry["path"] in facts.differing_directories:
            yield MakeDirectory(path=entry["path"], drifted=had.get(entry["path"]) == entry)


def _sysctls(bundle: HostBundle, facts: HostFacts) -> Iterator[Step]:
    if facts.sysctls_differ:
        had = dict(facts.manifest["sysctls"])
        yield SetSysctls(
            settings=tuple(bundle.sysctls.items()),
            had=tuple(had.items()),
            drifted=bool(had) and had == dict(bundle.sysctls),
        )


def _files(wanted: Manifest, facts: HostFacts) -> Iterator[Step]:
    had = {entry["path"]: entry["sha256"] for entry in facts.manifest["files"]}
    for entry in wanted["files"]:
        if entry["path"] in facts.differing:
            yield WriteFile(
                path=entry["path"],
                old=facts.files.get(entry["path"]),
                new=entry["sha256"],
                secret=entry["secret"],
                drifted=had.get(entry["path"]) == entry["sha256"],
                had=had.get(entry["path"]),
            )
    staying = {entry["path"] for entry in wanted["files"]}
    for entry in facts.manifest["files"]:
        if entry["path"] not in staying:
            yield RemoveFile(path=entry["path"], secret=entry["secret"])


def _units(wanted: Manifest, facts: HostFacts) -> Iterator[Step]:
    had = {entry["path"]: entry["sha256"] for entry in facts.manifest["files"]}
    # Where the manifests differ the stamps tell; what someone changed behind our back they cannot know.
    drifted = [
        e["path"] for e in wanted["files"] if e["path"] in facts.differing and had.get(e["path"]) == e["sha256"]
    ]
    stamps = without_touched(facts.stamps, wanted["units"], drifted)
    for unit in wanted["units"]:
        state, stamp = facts.units.get(unit["name"], NOT_KNOWN), stamps.get(unit["name"])
        needed = decide_unit(wanted, unit, stamp, state)
        # What the stamps alone, as the host has them, do not ask for is somebody's doing.
        known = facts.stamps.get(unit["name"]) == unit_stamp(wanted, unit)
        if needed.action == "restart":
            yield RestartUnit(name=unit["name"], drifted=known)
        elif needed.action == "reload":
            yield ReloadUnit(name=unit["name"], drifted=known)
        elif not needed.nothing:
            yield StartUnit(name=unit["name"], drifted=known)
