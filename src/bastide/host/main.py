"""The zipapp's commands: `serve` for the controller, `guard` for the timer, others for people."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastide.host.errors import Failure

if TYPE_CHECKING:
    from bastide.host.machine import Machine


def main(argv: list[str], program: Path | None) -> int:
    """Run one command; returns the exit status."""
    if argv[:1] == ["serve"]:
        from bastide.host.serve import serve_stdio

        serve_stdio(program)
        return 0
    if os.geteuid() != 0:
        print("bastide-host: run it as root", file=sys.stderr)
        return 1
    try:
        return _command(argv)
    except Failure as failure:
        print(f"bastide-host: {failure.message}", *failure.lines, failure.hint, sep="\n  ", file=sys.stderr)
        return 1


def _command(argv: list[str]) -> int:
    from bastide.host.lifecycle import guard, guard_boot, return_to_previous
    from bastide.host.machine import Machine
    from bastide.host.observe import status
    from bastide.host.state import held_lock

    machine = Machine()
    if argv[:1] == ["guard"] and len(argv) == 2:
        guard(machine, argv[1], _print)
        return 0
    if argv[:1] == ["undrain"] and len(argv) == 4:
        from bastide.host.balancing import Runtime, undrain_server

        undrain_server(Runtime(machine, argv[1], argv[2]), argv[3], 0.0)
        return 0
    if argv == ["guard-boot"]:
        guard_boot(machine, _print)
        return 0
    if argv == ["rollback"] or (argv[:2] == ["rollback", "--to"] and argv[2:3] and argv[2].isdigit()):
        from bastide.host.lease import take_lease

        to = int(argv[2]) if argv[1:] else None
        take_lease(machine, who="someone on the console", source="")  # a controller at work would undo it
        with held_lock(machine, who="console", wait_s=10.0):
            print(return_to_previous(machine, _print, to=to))
        return 0
    if argv == ["generations"]:
        _print_generations(machine)
        return 0
    if argv == ["status"]:
        print(json.dumps(status(machine), indent=2))
        return 0
    print("usage: bastide-host generations | rollback [--to NUMBER] | status", file=sys.stderr)
    return 2


def _print_generations(machine: Machine) -> None:
    import time

    from bastide.host.record import read_record, running

    entries = read_record(machine)
    for entry in entries:
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(entry["at"]))
        mark = "*" if entry is running(entries) else " "
        undone = "  undone" if entry["undone"] else ""
        commit = f"  {entry['commit']}" if entry["commit"] else ""
        print(f"{mark} {entry['number']:>4}  {at} UTC  {entry['digest'][:12]}  {entry['who']}{commit}{undone}")


def _print(kind: str, **fields: Any) -> None:
    print(kind, *(f"{key}={value}" for key, value in fields.items()), flush=True)
