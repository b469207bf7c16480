"""The life of an activation: activating → provisional → confirmed, or back to what was confirmed before.

A *guard* (a transient systemd timer) is armed before anything changes. It puts the previous generation back when
the host's process died half-way, or when nobody confirmed in time over a new connection.
In: digests of built generations. Out: nothing; every step is on the disk before the next. The lock is held by the
caller of everything here but `guard`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bastide.host.accounts import create_users, remove_users
from bastide.host.activate import bring_up, verify_units
from bastide.host.disk import switch_symlink, write_atomically
from bastide.host.draining import lift_drains
from bastide.host.errors import Failure, as_failure
from bastide.host.journal import append_journal, trim_journal
from bastide.host.machine import Machine
from bastide.host.manifest import SYSTEMD, Manifest
from bastide.host.packages import remove_packages
from bastide.host.probe import run_probes
from bastide.host.record import find_target, mark_returned, remember
from bastide.host.redact import redactor
from bastide.host.reserve import use_reserve
from bastide.host.settling import await_settled, why_unsettled
from bastide.host.stage import Tell
from bastide.host.state import (
    Activation,
    boot_clock,
    boot_id,
    current_digest,
    held_lock,
    read_activation,
    read_manifest,
    write_activation,
)
from bastide.host.store import is_built, prune

_WRAPPER = "/usr/local/sbin/bastide-host"
_BOOT_UNIT = "bastide-host.service"
# After multi-user.target: it may restart units, which must not wait for it.
_BOOT_UNIT_TEXT = f"""\
[Unit]
Description=undo what was not confirmed before the boot
After=multi-user.target
[Service]
Type=oneshot
ExecStart={_WRAPPER} guard-boot
[Install]
WantedBy=multi-user.target
"""
_GRANTS = "/run/bastide/grants"


@dataclass(frozen=True)
class Terms:
    """How an activation is to be done."""

    who: str
    confirm_s: float
    """How long it stays provisional."""
    grants: Sequence[str]
    program: Path | None
    """The zipapp that the guard runs; None arms no guard."""
    settle_s: float = 0.0
    """How long a unit that was started anew must run before it is believed."""
    drain_s: float = 5.0
    """How long running requests may take to end before a unit restarts."""
    number: int = 0
    commit: str = ""
    operation: str = "apply"
    on_purpose: str = ""
    """Of a rollback: what to tell whoever asks why an older generation runs."""


def activate(machine: Machine, digest: str, terms: Terms, tell: Tell) -> None:
    """Make a built generation the live one, provisionally. Raises Failure after the previous one is back."""
    manifest = read_manifest(machine, digest)
    last = read_activation(machine)
    # Only what was confirmed is worth going back to; an interrupted activation is not.
    previous = last["digest"] if last["phase"] == "confirmed" else last["previous"]
    before = _possibly_live(machine, last)
    activation = Activation(
        digest=digest, previous=previous, phase="activating", token=secrets.token_hex(16), deadline=0.0,
        boot=boot_id(machine), who=terms.who, at=time.time(), number=terms.number,
        highest=max(last["highest"], terms.number), commit=terms.commit, operation=terms.operation,
        on_purpose=terms.on_purpose,
    )  # fmt: skip
    write_activation(machine, activation)
    install_wrapper(machine, terms.program)
    arm_guard(machine, activation, terms)
    _write_grants(machine, terms.grants)
    try:
        started = bring_up(machine, manifest, digest, before, tell, drain_s=terms.drain_s)
        try:
            run_probes(machine, manifest, tell, redactor(machine, manifest, digest))
        except Failure as unmet:
            unmet.lines += tuple(why_unsettled(machine, started))
            raise
        await_settled(machine, started, terms.settle_s)
        verify_units(machine, manifest)
        lift_drains(machine)
        write_activation(
            machine, {**activation, "phase": "provisional", "deadline": boot_clock() + terms.confirm_s}
        )
    except Exception as broken:  # whatever it was, the host must not stay half-way
        failure = as_failure(broken)
        failure.lines = tuple(redactor(machine, manifest, digest)(failure.lines))
        tell("failed", message=failure.message, lines=list(failure.lines))
        failure.hint = roll_back(machine, activation, tell, why=failure.message) or failure.hint
        raise failure from broken


def roll_back(machine: Machine, activation: Activation, tell: Tell, *, why: str) -> str:
    """Put the previous generation back; returns what to say about it. Never raises: it is the last resort."""
    previous = activation["previous"]
    tell("rolling_back", digest=previous)
    use_reserve(machine)
    write_activation(machine, {**activation, "phase": "rolling-back"})
    try:
        manifest = read_manifest(machine, previous)
        create_users(machine, manifest["users"])  # that of an older generation may be gone
        bring_up(machine, manifest, previous, _possibly_live(machine, activation), tell)
        verify_units(machine, manifest)
    except Exception as failure:  # noqa: BLE001 - the last resort: say what it was, leave a trace
        said = failure.lines if isinstance(failure, Failure) else ()
        lines = redactor(machine, read_manifest(machine, previous), previous)(said) if said else []
        tell("failed", message=f"the rollback failed too: {failure}", lines=lines)
        write_activation(machine, {**activation, "phase": "failed"})
        append_journal(machine, activation, "failed", f"{why}; the rollback failed too: {failure}")
        lift_drains(machine)
        return f"THE ROLLBACK FAILED TOO ({failure}): look at this host now."
    lift_drains(machine)
    write_activation(machine, {**activation, "phase": "rolled-back"})
    mark_returned(machine, previous)
    append_journal(machine, activation, "rolled-back", why)
    tell("rolled_back", digest=previous)
    return "The previous generation is back." if previous else "The host is as it was before its first apply."


def confirm(machine: Machine, digest: str, *, keep: int, tell: Tell = lambda *_, **__: None) -> None:
    """Make a provisional generation final. Raises Failure when it is not live and provisional any more.

    A package leaves with the last generation that names it: until then a rollback, offline too, has what it needs.
    """
    activation = read_activation(machine)
    if activation["digest"] != digest or activation["phase"] not in ("provisional", "confirmed"):
        raise _not_provisional(digest, activation)
    first = activation["phase"] != "confirmed"  # a confirmation may come twice, when its answer was lost
    write_activation(machine, {**activation, "phase": "confirmed"})
    if activation["token"]:
        machine.run(["systemctl", "stop", "--quiet", f"{_guard_unit(activation)}.timer"])
    if first:
        remember(machine, activation)
        append_journal(machine, activation, "confirmed")
        trim_journal(machine)
        remove_users(machine, read_manifest(machine, digest)["users"])
    prune(machine, keep=keep, needed=(digest, activation["previous"]))
    kept = [p.name for p in machine.generations.iterdir() if is_built(machine, p.name)]
    gone, stays = remove_packages(
        machine, {name for one in kept for name in read_manifest(machine, one)["packages"]}
    )
    if gone:
        tell("packages_removed", names=gone)
    for said in stays:
        tell("warning", text=said)


def return_to_previous(machine: Machine, tell: Tell, *, to: int | None = None) -> str:
    """What `bastide-host rollback` does on the console: go back one generation, or to that of an apply, for good."""
    last = read_activation(machine)
    if not last["digest"] and not last["previous"]:
        raise Failure("refused", "nothing was ever applied here")
    unfinished = last["phase"] not in ("confirmed", "rolled-back")
    target = None if unfinished and to is None else find_target(machine, to)
    returned = target["digest"] if target else last["previous"]
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    number = target["number"] if target else 0
    console: Activation = {
        **last, "previous": returned, "operation": "rollback", "who": "console", "number": number, "commit": "",
    }  # fmt: skip
    said = roll_back(machine, console, tell, why="console")
    after = read_activation(machine)
    if after["phase"] == "rolled-back":
        purpose = f"someone on its console went back from apply {last['number']} at {now}"
        write_activation(
            machine,
            {
                **after, "digest": returned, "previous": "", "phase": "confirmed", "on_purpose": purpose,
            },
        )  # fmt: skip
    return said


def hold(machine: Machine, digest: str, hold_s: float) -> None:
    """Stay provisional for that long from now: the host is proved reachable, and others of its batch are still at work.

    Raises Failure when it is not live and provisional any more.
    """
    activation = read_activation(machine)
    if activation["digest"] != digest or activation["phase"] != "provisional" or _is_overdue(machine, activation):
        raise _not_provisional(digest, activation)
    write_activation(machine, {**activation, "deadline": boot_clock() + hold_s})


def _not_provisional(digest: str, activation: Activation) -> Failure:
    return Failure(
        "not-provisional",
        f"generation {digest[:12]} cannot be confirmed: the host is at {activation['phase']}",
        hint="It was not confirmed in time, and was rolled back.",
    )


def undo(machine: Machine, digest: str, tell: Tell, *, why: str) -> str:
    """Go back from this generation because another host of its batch failed, or the service got worse.

    Unlike `return_to_previous` it never goes further back: on a host that is elsewhere already nothing is done.
    """
    last = read_activation(machine)
    if last["digest"] != digest or last["phase"] not in ("provisional", "confirmed"):
        return "The previous generation was back already."
    said = roll_back(machine, last, tell, why=why)
    if read_activation(machine)["phase"] != "rolled-back":
        raise Failure("rollback", "its previous generation could not be put back", hint=said)
    return said


def guard(machine: Machine, token: str, tell: Tell) -> None:
    """Wait for the confirmation of one activation; without it, put the previous generation back."""
    while True:
        activation = read_activation(machine)
        if activation["token"] != token or activation["phase"] not in ("activating", "provisional", "rolling-back"):
            return
        waiting = activation["phase"] == "provisional" and not _is_overdue(machine, activation)
        if waiting or not _undo(machine, token, tell):
            time.sleep(0.2)


def guard_boot(machine: Machine, tell: Tell) -> None:
    """After a boot: undo what was not confirmed before it; the timer did not outlive it."""
    guard(machine, read_activation(machine)["token"], tell)


def _is_overdue(machine: Machine, activation: Activation) -> bool:
    return activation["boot"] != boot_id(machine) or boot_clock() >= activation["deadline"]


def _undo(machine: Machine, token: str, tell: Tell) -> bool:
    """Roll back under the lock; False when someone holds it, who may still finish or confirm."""
    try:
        with held_lock(machine, who="guard", wait_s=0.0):
            activation = read_activation(machine)
            due = activation["phase"] != "provisional" or _is_overdue(machine, activation)
            if activation["token"] == token and activation["phase"] not in ("confirmed", "rolled-back") and due:
                died = activation["phase"] == "activating"
                why = "its process died half-way" if died else "nobody confirmed it in time"
                roll_back(machine, activation, tell, why=why)
    except Failure as failure:
        if failure.code != "locked":
            raise
        return False
    return True


def arm_guard(machine: Machine, activation: Activation, terms: Terms) -> None:
    """Start the timer. It fires early enough to notice a dead process, and then waits as long as it must."""
    if terms.program is None:
        return
    machine.must_run(
        [
            "systemd-run", "--quiet", f"--unit={_guard_unit(activation)}", f"--on-active={terms.confirm_s:g}",
            "--timer-property=AccuracySec=100ms", "--collect",
            "/usr/bin/python3", "-I", "-S", str(terms.program), "guard", activation["token"],
        ],
        hint="Without its guard an activation is not begun.",
    )  # fmt: skip


def install_wrapper(machine: Machine, program: Path | None) -> None:
    """Have the command that people use on the console, and the unit that looks after a boot."""
    if program is None:
        return
    _have(machine.path(_WRAPPER), f'#!/bin/sh\nexec /usr/bin/python3 -I -S {program} "$@"\n', 0o755)
    _have(machine.path(SYSTEMD + _BOOT_UNIT), _BOOT_UNIT_TEXT, 0o644)
    wanted = machine.path(f"{SYSTEMD}multi-user.target.wants/{_BOOT_UNIT}")
    if not wanted.is_symlink():
        wanted.parent.mkdir(parents=True, exist_ok=True)
        switch_symlink(wanted, SYSTEMD + _BOOT_UNIT)


def _have(path: Path, text: str, mode: int) -> None:
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode(), mode=mode)


def _possibly_live(machine: Machine, last: Activation) -> list[Manifest]:
    """Manifests of which something may be on the disk."""
    digests = dict.fromkeys((current_digest(machine), last["digest"], last["previous"]))
    return [read_manifest(machine, d) for d in digests if d and is_built(machine, d)]


def _write_grants(machine: Machine, grants: Sequence[str]) -> None:
    """One-time permissions, such as to initialise a data directory; gone with the next boot."""
    folder = machine.path(_GRANTS)
    for grant in grants:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # whatever the umask is
        write_atomically(folder / grant, b"", mode=0o644)


def _guard_unit(activation: Activation) -> str:
    return f"bastide-guard-{activation['token'][:12]}"
