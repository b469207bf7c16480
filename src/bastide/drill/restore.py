"""Putting back what is broken, and proving it.

In: Ground, and the journal of a drill that was killed. Out: nothing; raises NotRestored with what ails.
Holds: everything here may be done twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from bastide.drill.faults import make_fault
from bastide.drill.ground import Ground, Look, ShellFailed
from bastide.drill.journal import forget_entry, read_entry
from bastide.drill.load import change_ledger, forget_recorders
from bastide.drill.refusals import NotRestored, WorkFailed
from bastide.drill.scenario import FaultSpec
from bastide.drill.targets import Facts
from bastide.lab.errors import LabError
from bastide.project.database import OrderRefused
from bastide.verify.asking import AskFailed

WHOLE_S = 300.0
_AGAIN_S = 1.0


def end_fault(
    ground: Ground, spec: FaultSpec, undo: Callable[[], None] | None = None, within_s: float = 60.0
) -> None:
    """Undo it (or as much of it as `undo` does); a host that cannot be told yet is told again. Raises NotRestored."""
    end, again = time.monotonic() + within_s, True
    while True:
        try:
            (undo or make_fault(spec, ground).end)()
        except (ShellFailed, LabError, OSError, WorkFailed) as failure:
            if time.monotonic() > end and not again:
                lines = tuple(getattr(failure, "lines", ()))
                raise NotRestored(f"{spec} could not be undone", (str(failure), *lines)) from failure
            again = time.monotonic() <= end  # what takes long is tried twice, too
            time.sleep(_AGAIN_S)
            continue
        return


def await_whole(ground: Ground, within_s: float = WHOLE_S) -> Facts:
    """Wait until every host, service and the database have been well within FRESH_S, and the next takeover is as free as
    it was; who is what then. Raises NotRestored."""
    end, seen = time.monotonic() + within_s, ground.look()
    while ailments := seen.ailments or _hold_left(ground, seen):
        if time.monotonic() > end:
            raise NotRestored(f"not everything is well {within_s:.0f} s later", ailments[:8])
        ground.say(f"waiting: {ailments[0]}")
        time.sleep(_AGAIN_S)
        seen = ground.look(seen)
    return seen.facts


def _hold_left(ground: Ground, seen: Look) -> tuple[str, ...]:
    """Why the next takeover still waits for those that drills brought about; nothing once it does not."""
    if not seen.held_s or seen.facts.primary is None:
        return ()
    try:
        ground.unhold(seen.facts.primary)
    except OrderRefused as refusal:
        return (f"the next takeover waits {seen.held_s:.0f} s (failover_hold): {refusal}",)
    return ()


def restore_left(ground: Ground) -> str | None:
    """What an earlier drill left broken, put back; its scenario's name, or None when there was nothing."""
    entry = read_entry(ground.target.state)
    if entry is None:
        return None
    if entry.fault is not None:
        end_fault(ground, entry.fault)
    await_whole(ground)
    forget_recorders(ground, entry.recorders)
    with suppress(AskFailed):
        change_ledger(ground, "drop", [host for host, what in entry.recorders if what == "writes"])
    forget_entry(ground.target.state)
    return entry.scenario
