"""Numbers of applies, handed out by hosts, so that two applies of an infrastructure have two.

    number   the highest that was handed out here

An apply of some hosts takes no lease on the others, but asks each for a number, in the order of names, passing on what
it was given so far. The last host of two applies that reach the same hosts gives each another one.
In: a Machine. Out: a number. Holds: handed out once, whatever is interrupted.
"""

from __future__ import annotations

import fcntl
import os

from bastide.host.machine import Machine
from bastide.host.state import read_activation

_NAME = "number"


def take_number(machine: Machine, at_least: int) -> int:
    """The next number here, or `at_least` if that is higher."""
    machine.home.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(machine.home / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        number = max(highest_number(machine) + 1, at_least)
        os.pwrite(handle, f"{number:020}".encode(), 0)  # always as long: it is never half of one
        os.fsync(handle)
        return number
    finally:
        os.close(handle)


def highest_number(machine: Machine) -> int:
    """Of all applies that this host has seen, or handed a number to; 0 on a fresh host."""
    try:
        given = int((machine.home / _NAME).read_text() or 0)
    except (OSError, ValueError):
        given = 0
    return max(given, read_activation(machine)["highest"])
