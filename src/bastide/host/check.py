"""The products' own checkers, run on a staged generation before anything changes.

In: a built generation. Out: nothing; raises Failure `check` with what every failed checker said.
Holds: a check leaves nothing behind. What passed here for the same files, by the same packages, is not asked again:
it would judge what runs already. A check that failed is always asked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from functools import partial
from pathlib import Path

from bastide.host.disk import read_json, write_json
from bastide.host.errors import Failure
from bastide.host.machine import Finished, Machine, run_program
from bastide.host.manifest import CheckEntry, Manifest
from bastide.host.namespace import enter_view
from bastide.host.redact import Redactor
from bastide.host.stage import Tell

_PASSED, _REMEMBERED = "passed.json", 64
"""Marks of what passed, the newest first."""


def run_checks(machine: Machine, manifest: Manifest, digest: str, tell: Tell, redact: Redactor) -> None:
    """Run every check of the manifest. Raises Failure that names all that failed."""
    failures: list[tuple[str, list[str]]] = []
    marks = {check["name"]: _mark(machine, check) for check in manifest["checks"]}
    known = read_json(machine.home / _PASSED, [])
    passed_now = [mark for mark in marks.values() if mark in known]
    for check in manifest["checks"]:
        if marks[check["name"]] in passed_now:
            continue
        done = run_check(check, machine.generations / digest)
        passed = done.status == 0 and not (check["quiet"] and done.output.strip())
        tell("checked", name=check["name"], passed=passed)
        if passed and marks[check["name"]]:
            passed_now.append(marks[check["name"]])
        if not passed:
            failures.append((check["name"], redact(done.last_lines() or [f"exit status {done.status}"])))
    if passed_now != known:
        with contextlib.suppress(OSError):  # a full disk must not fail what passed: it is asked again then
            write_json(
                machine.home / _PASSED, [*passed_now, *(m for m in known if m not in passed_now)][:_REMEMBERED]
            )
    if failures:
        raise Failure(
            "check",
            f"check failed: {', '.join(name for name, _ in failures)}",
            lines=[line for _, lines in failures for line in lines],
            hint="Nothing was changed.",
        )


def _mark(machine: Machine, check: CheckEntry) -> str:
    """Stands for what the check would say; empty when that cannot be known."""
    if not check.get("inputs"):
        return ""
    try:
        packages = machine.path("/var/lib/dpkg/status").stat()
    except OSError:
        return ""
    asked = [check, packages.st_mtime_ns, packages.st_size, packages.st_ino]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def run_check(check: CheckEntry, tree: Path) -> Finished:
    """Run one checker in its private view of the machine."""
    enter = partial(enter_view, tree, network=check["network"])
    return run_program(check["argv"], timeout_s=60.0, before_exec=enter)
