"""systemd, through systemctl: a few calls, each for many units at once.

In: a Machine and unit names. Out: their states. Raises Failure with the journal's last lines when a unit fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bastide.host.decide import NOT_KNOWN, UnitState
from bastide.host.errors import Failure
from bastide.host.machine import Machine

_PROPERTIES = (
    "Id,Names,LoadState,ActiveState,SubState,UnitFileState,CanReload,ConditionResult,ConditionTimestampMonotonic"
)


def show_units(machine: Machine, names: Iterable[str]) -> dict[str, UnitState]:
    """State of each unit, in one call."""
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        return {}
    shown = machine.run(["systemctl", "show", f"--property={_PROPERTIES}", *wanted])
    states: dict[str, UnitState] = {}
    for block in shown.output.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        state: UnitState = {
            "load": fields.get("LoadState", ""),
            "active": fields.get("ActiveState", ""),
            "sub": fields.get("SubState", ""),
            "enabled": fields.get("UnitFileState", ""),
            "can_reload": fields.get("CanReload") == "yes",
            # Before the first start there was no condition to meet.
            "waits": fields.get("ConditionResult") == "no"
            and fields.get("ConditionTimestampMonotonic", "0") != "0",
        }
        # An alias is shown under its real unit's Id; Names has both.
        for name in (fields.get("Id", ""), *fields.get("Names", "").split()):
            if name in wanted:
                states[name] = state
    return {name: states.get(name, NOT_KNOWN) for name in wanted}


def reads_old_files(machine: Machine, names: Sequence[str]) -> bool:
    """Whether systemd has yet to read a file of one of these units, after an interruption for instance."""
    if not names:
        return False
    return "yes" in machine.run(["systemctl", "show", "--property=NeedDaemonReload", "--value", *names]).output


def failed_units(machine: Machine) -> list[str]:
    """Every failed unit of the machine."""
    listed = machine.run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--full"])
    return [line.split()[0] for line in listed.output.splitlines() if line.split()]


def systemctl(machine: Machine, verb: str, *units: str, reload: bool = True) -> None:
    """A verb that has to succeed; nothing is run for no units. Without `reload` systemd is told later, by the caller."""
    if units:
        later = [] if reload else ["--no-reload"]
        machine.must_run(["systemctl", verb, "--quiet", *later, *units], code="unit")


def change_unit(machine: Machine, verb: str, unit: str) -> None:
    """Start, restart or reload one unit. Raises Failure with the end of its journal."""
    if verb != "reload":
        # A unit that failed before must not meet the start limit because of it; there may be nothing to reset.
        machine.run(["systemctl", "reset-failed", "--quiet", unit])
    done = machine.run(["systemctl", verb, unit])
    if done.status != 0:
        raise unit_failure(machine, unit, f"`systemctl {verb} {unit}` failed", done.last_lines(5))


def unit_failure(machine: Machine, unit: str, message: str, said: Sequence[str] = ()) -> Failure:
    """The failure of one unit, with what it said last."""
    return Failure(
        "unit", message, lines=last_said(machine, unit) or said, hint=f"journalctl -u {unit} on the host"
    )


def last_said(machine: Machine, unit: str) -> list[str]:
    """The end of a unit's journal, with what journald has yet to write down: why a unit died is what it said last."""
    machine.run(["timeout", "5", "journalctl", "--sync"])
    return machine.run(["journalctl", "--unit", unit, "--lines=15", "--no-pager", "--output=cat"]).last_lines()
