"""What was applied to this host: by whom, when, from which commit, with which result.

    journal   one line of JSON for each activation that ended, root's alone

In: plain values. Out: lines. Holds: no content of a file; a full disk loses a line and never an activation.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import Any

from bastide.host.disk import write_atomically
from bastide.host.machine import Machine
from bastide.host.state import Activation

_LINES_KEPT = 400


def append_journal(machine: Machine, activation: Activation, result: str, why: str = "") -> None:
    """One line, durable. `result`: confirmed, rolled-back, failed."""
    line = {
        "at": time.time(),
        "began": activation["at"],
        "who": activation["who"],
        "number": activation["number"],
        "commit": activation["commit"],
        "operation": activation["operation"],
        "generation": activation["digest"],
        "previous": activation["previous"],
        "result": result,
        "why": why,
    }
    with suppress(OSError):
        machine.home.mkdir(parents=True, exist_ok=True)
        handle = os.open(machine.home / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, json.dumps(line).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)


def read_journal(machine: Machine) -> list[dict[str, Any]]:
    """Its lines, oldest first; one that a crash cut short is left out."""
    found = []
    with suppress(OSError):
        for line in (machine.home / "journal").read_bytes().splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return found


def trim_journal(machine: Machine) -> None:
    """Drop the oldest lines of a long journal."""
    with suppress(OSError):
        lines = (machine.home / "journal").read_bytes().splitlines(keepends=True)
        if len(lines) > 2 * _LINES_KEPT:
            write_atomically(machine.home / "journal", b"".join(lines[-_LINES_KEPT:]), mode=0o600)
