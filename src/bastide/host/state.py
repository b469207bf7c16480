"""What a host remembers about applying, each in one small file that is replaced atomically.

    activation.json   which generation is live and how far it is (`Activation`)
    stamps.json       what each unit last saw (`decide.Stamp`)
    adopted.json      what units were before we touched them, to put that back when they leave
    generations.json  which were confirmed, by the number of the apply (`host.record`)
    journal           what was applied (`host.journal`)
    lease             held by the one controller at work (`host.lease`)
    lock              held by the one conversation that may change the host

In: a Machine. Out: typed records. Holds: whoever changes something holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import TypedDict

from bastide.host.decide import Stamp
from bastide.host.disk import read_json, write_json
from bastide.host.errors import Failure
from bastide.host.machine import Machine
from bastide.host.manifest import Manifest, empty_manifest


class Activation(TypedDict):
    """How far the newest activation is."""

    digest: str
    """Generation that is or was being activated; empty is none of ours."""
    previous: str
    """Last confirmed generation before it: what a rollback puts back; empty is none of ours."""
    phase: str
    """activating → provisional → confirmed, or → rolling-back → rolled-back, or failed."""
    token: str
    """Names this activation, so that a guard never undoes a later one."""
    deadline: float
    """While provisional: when the guard puts the previous generation back (`boot_clock`)."""
    boot: str
    """The boot in which it began; after another one its deadline has passed."""
    who: str
    at: float
    """Unix time at which it began, for people."""
    number: int
    """Of the apply: one more than any that the hosts of the run had seen. Of a rollback: of what it returns to."""
    highest: int
    """Highest number that this host has seen."""
    commit: str
    """Of the spec, as git names it; empty without git."""
    operation: str
    """apply or rollback."""
    on_purpose: str
    """Who went back to an older generation, and from which apply; empty when the newest runs."""


def read_activation(machine: Machine) -> Activation:
    """The newest activation; on a fresh host a confirmed one of nothing."""
    nothing = Activation(
        digest="", previous="", phase="confirmed", token="", deadline=0.0, boot="", who="", at=0.0,
        number=0, highest=0, commit="", operation="apply", on_purpose="",
    )  # fmt: skip
    record = read_json(machine.home / "activation.json", nothing)
    return Activation(**{**nothing, **record})


def write_activation(machine: Machine, activation: Activation) -> None:
    """Record it durably."""
    write_json(machine.home / "activation.json", activation)


def read_stamps(machine: Machine) -> dict[str, Stamp]:
    """By unit."""
    stamps: dict[str, Stamp] = read_json(machine.home / "stamps.json", {})
    return stamps


def write_stamps(machine: Machine, stamps: dict[str, Stamp]) -> None:
    """Record them durably."""
    write_json(machine.home / "stamps.json", stamps)


def read_adopted(machine: Machine) -> dict[str, dict[str, bool]]:
    """By unit: whether it was `active` and `enabled` before we first touched it."""
    adopted: dict[str, dict[str, bool]] = read_json(machine.home / "adopted.json", {})
    return adopted


def write_adopted(machine: Machine, adopted: dict[str, dict[str, bool]]) -> None:
    """Record them durably."""
    write_json(machine.home / "adopted.json", adopted)


def current_digest(machine: Machine) -> str:
    """Digest of the generation that `current` points to; empty if none does."""
    try:
        return str(machine.current.readlink()).rpartition("/")[2]
    except OSError:
        return ""


def read_manifest(machine: Machine, digest: str) -> Manifest:
    """Manifest of a generation on this host; the empty one for the empty digest. Raises Failure."""
    if not digest:
        return empty_manifest()
    try:
        text = (machine.generations / digest / "manifest.json").read_bytes()
    except FileNotFoundError:
        raise Failure("integrity", f"generation {digest[:12]} is not on this host any more") from None
    manifest: Manifest = json.loads(text)
    return manifest


def boot_id(machine: Machine) -> str:
    """Names the time since the machine started."""
    try:
        return machine.path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def boot_clock() -> float:
    """Seconds that no one can set back; they count while the machine sleeps too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def held_lock(machine: Machine, *, who: str, wait_s: float) -> Iterator[None]:
    """Be the only one who changes this host. Raises Failure `locked` with the holder.

    The kernel drops it with the process, so an interrupted apply leaves no lock behind.
    """
    machine.home.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(machine.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + wait_s
        while not _try_lock(handle):
            if time.monotonic() >= until:
                holder = os.pread(handle, 400, 0).decode(errors="replace").strip() or "someone"
                raise Failure(
                    "locked", f"another apply is at work: {holder}", hint="Wait for it, then apply again."
                )
            time.sleep(0.1)
        os.ftruncate(handle, 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        os.pwrite(handle, f"{who or 'unknown'}, process {os.getpid()}, since {since}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
