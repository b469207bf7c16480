"""Wait until machines answer SSH, and say why when one does not.

In: machines that were started. Out: nothing, or `MachineFailed` with the last lines of each failed
machine's console and journal. Holds: a machine that died is reported at once, not at the deadline.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bastide.lab.cgroups import detect_hierarchies, group_of, is_running
from bastide.lab.command import run
from bastide.lab.disk import machine_dir
from bastide.lab.errors import CommandFailed, MachineFailed
from bastide.lab.spec import MachineSpec, Phase

_SSH_PORT: Final = 22
_POLL_S: Final = 0.1
# A SYN that came before sshd listened, or before the address did, is only repeated after a second: try anew.
_TRY_S: Final = 0.25
# systemd-run needs a moment before the group exists.
_GRACE_S: Final = 3.0
_LOG_LINES: Final = 15


def await_machines(
    lab: str, machines: Sequence[MachineSpec], deadline_s: float, tell: Callable[[str, Phase], None]
) -> None:
    """Return when every machine's sshd has sent its banner. Raises `MachineFailed`."""
    if not machines:
        return
    end = time.monotonic() + deadline_s
    telling = threading.Lock()

    def wait_for(machine: MachineSpec) -> bool:
        answered = _await_banner(lab, machine, end)
        with telling:
            tell(machine.name, "ready" if answered else "failed")
        return answered

    with ThreadPoolExecutor(max_workers=min(32, len(machines))) as pool:
        answers = list(pool.map(wait_for, machines))
    failed = [machine.name for machine, answered in zip(machines, answers, strict=True) if not answered]
    if failed:
        logs = {name: last_lines(machine_dir(lab, name)) for name in failed}
        text = "\n".join(f"--- {name}\n{log}" for name, log in logs.items())
        raise MachineFailed(
            f"no SSH from {', '.join(failed)} after {deadline_s:.0f} s or it ended early:\n{text}",
            logs=logs,
            hint="Raising the lab again starts only what is missing.",
        )


def last_lines(home: Path) -> str:
    """The end of a machine's console log and the warnings at the end of its journal."""
    console = home / "console.log"
    lines = console.read_text(errors="replace").splitlines()[-_LOG_LINES:] if console.exists() else []
    journal = home / "upper" / "var" / "log" / "journal"
    if journal.is_dir():
        count = f"--lines={_LOG_LINES}"
        try:
            lines += run(
                ["journalctl", f"--directory={journal}", "--priority=warning", "--boot", count, "--no-pager"]
            ).splitlines()
        except CommandFailed as unreadable:
            lines.append(str(unreadable))
    return "\n".join(lines)


def _await_banner(lab: str, machine: MachineSpec, end: float) -> bool:
    group = group_of(detect_hierarchies(), lab, machine.name)
    alive_until = time.monotonic() + _GRACE_S
    while time.monotonic() < end:
        if _has_banner(str(machine.reachable_at)):
            return True
        if is_running(group):
            alive_until = time.monotonic() + _GRACE_S
        elif time.monotonic() > alive_until:
            return False
        time.sleep(_POLL_S)
    return False


def _has_banner(address: str) -> bool:
    try:
        with socket.create_connection((address, _SSH_PORT), timeout=_TRY_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
