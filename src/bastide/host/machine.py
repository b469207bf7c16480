"""The machine that host code works on: its root directory and the way to run programs.

In: a root (a temporary directory in tests) and a runner. Out: paths, account numbers, finished programs.
Holds: nothing else in `host/` starts a program or spells a path of the state directory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bastide.host.errors import Failure


@dataclass(frozen=True)
class Finished:
    """A program that ended."""

    argv: tuple[str, ...]
    status: int
    output: str
    """Standard output, and after it what was said on standard error."""

    def last_lines(self, count: int = 15) -> list[str]:
        """The end of the output."""
        return [line for line in self.output.splitlines() if line.strip()][-count:]


Runner = Callable[[Sequence[str]], Finished]

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_PAGER": "",
    # Debian's init scripts need no runlevel links, and update-rc.d fails where they were tidied away.
    "SYSTEMCTL_SKIP_SYSV": "1",
    "NEEDRESTART_MODE": "l",  # needrestart must not restart services of ours by itself
}


def run_program(
    argv: Sequence[str],
    *,
    timeout_s: float = 900.0,
    before_exec: Callable[[], None] | None = None,
) -> Finished:
    """Run a program to its end, in a fixed environment, without standard input."""
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            timeout=timeout_s,
            check=False,
            # The child is single-threaded here, and namespaces must be entered between fork and exec.
            preexec_fn=before_exec,
        )
    except FileNotFoundError:
        return Finished(tuple(argv), 127, f"{argv[0]}: not found")
    except subprocess.TimeoutExpired as slow:
        said = (slow.output or b"").decode(errors="replace")
        return Finished(tuple(argv), 124, f"{said}\nstopped after {timeout_s:g} s")
    return Finished(tuple(argv), done.returncode, done.stdout.decode(errors="replace"))


@dataclass(frozen=True)
class Machine:
    """Where host code works."""

    root: Path = Path("/")
    run: Runner = run_program

    def path(self, absolute: str) -> Path:
        """A path of the machine, below its root."""
        return self.root / absolute.lstrip("/")

    @property
    def home(self) -> Path:
        """Our state directory."""
        return self.path("/var/lib/bastide")

    @property
    def generations(self) -> Path:
        """One directory for each applied bundle, named by its digest."""
        return self.home / "generations"

    @property
    def current(self) -> Path:
        """Symlink to the live generation."""
        return self.home / "current"

    @property
    def blobs(self) -> Path:
        """Contents that arrived and were not used up yet, named by their sha256."""
        return self.home / "blobs"

    def must_run(self, argv: Sequence[str], *, code: str = "command", hint: str = "") -> Finished:
        """Run a program that has to succeed. Raises Failure."""
        done = self.run(argv)
        if done.status != 0:
            raise Failure(
                code,
                f"`{' '.join(argv)}` ended with status {done.status}",
                lines=done.last_lines(),
                hint=hint,
            )
        return done


@dataclass(frozen=True)
class Accounts:
    """Users and groups of a machine, by name."""

    users: dict[str, int]
    groups: dict[str, int]
    members: dict[str, frozenset[str]]
    """By group."""

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        """uid and gid. Raises Failure."""
        if owner not in self.users or group not in self.groups:
            missing = f"user {owner}" if owner not in self.users else f"group {group}"
            raise Failure("accounts", f"there is no {missing}", hint="A product must declare it, or its package.")
        return self.users[owner], self.groups[group]


def read_accounts(machine: Machine) -> Accounts:
    """Read `/etc/passwd` and `/etc/group`."""
    users = {f[0]: int(f[2]) for f in _colon_fields(machine.path("/etc/passwd"))}
    rows = _colon_fields(machine.path("/etc/group"))
    members = {f[0]: frozenset(filter(None, f[3].split(","))) for f in rows}
    return Accounts(users=users, groups={f[0]: int(f[2]) for f in rows}, members=members)


def _colon_fields(path: Path) -> list[list[str]]:
    lines = (line.split(":") for line in path.read_text(errors="replace").splitlines())
    return [fields for fields in lines if len(fields) >= 4 and fields[2].isdigit()]


def is_root() -> bool:
    """Whether we may do everything."""
    return os.geteuid() == 0
