"""A unit that was started is believed once it has run for a while without a break.

systemd says `active` of a program that will die in three seconds. In: units of a manifest, how long. Raises Failure
with the end of the journal of the first unit that died, or did not stay up.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from bastide.host.machine import Machine
from bastide.host.systemd import last_said, unit_failure

_PAUSE_S = 0.25
_PROPERTIES = "Id,Type,ActiveState,SubState,InvocationID,ActiveEnterTimestampMonotonic,NRestarts"


@dataclass(frozen=True)
class _Run:
    active: bool
    invocation: str
    up_s: float
    restarts: int
    """By systemd itself, since somebody started it."""


def await_settled(machine: Machine, names: Collection[str], settle_s: float) -> None:
    """Return when each of these services has been up for that long. Raises Failure as soon as one restarts or ends."""
    if not names or settle_s <= 0:
        return
    began = _look(machine, names)
    while True:
        now = _look(machine, names)
        for name, run in now.items():
            if (name in began and began[name].invocation != run.invocation) or not run.active:
                raise unit_failure(machine, name, f"{name} did not stay up for {settle_s:g} s after it was started")
        if all(run.up_s >= settle_s for run in now.values()):
            return
        time.sleep(_PAUSE_S)


def why_unsettled(machine: Machine, names: Collection[str]) -> list[str]:
    """What those said last that do not run, or that systemd had to start again; where a probe fails, the likely cause."""
    found: list[str] = []
    for name, run in _look(machine, names).items() if names else ():
        if run.restarts or not run.active:
            found += [f"{name} does not stay up; it said last:", *last_said(machine, name)]
    return found


def _look(machine: Machine, names: Collection[str]) -> dict[str, _Run]:
    """Of those that are daemons: what has a Type of its own to end is no daemon."""
    shown = machine.run(["systemctl", "show", f"--property={_PROPERTIES}", *names])
    clock, found = time.clock_gettime(time.CLOCK_MONOTONIC), {}
    for block in shown.output.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("Type", "oneshot") == "oneshot" or fields.get("ActiveState") == "inactive":
            continue
        found[fields["Id"]] = _Run(
            active=fields.get("ActiveState") in ("active", "reloading"),
            invocation=fields.get("InvocationID", ""),
            up_s=clock - int(fields.get("ActiveEnterTimestampMonotonic") or 0) / 1e6,
            restarts=int(fields.get("NRestarts") or 0),
        )
    return found
