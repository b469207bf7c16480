"""One control group per machine: how it is placed, told alive, frozen and killed as a whole.

In: a lab's and a machine's name. Out: the group's directory in the unified hierarchy, and acts upon it.
Holds: every process of a machine is below its group, so "is it running", "freeze" and "pull the plug" need
no pid that could have been given to someone else.

Two kinds of host. With systemd as PID 1, a group belongs to a scope with `Delegate=yes`. Without it, we
make the directories ourselves, in the unified hierarchy and, on a hybrid host, in systemd's own v1
hierarchy too: machines that share a group share nspawn's `payload` below it, and the systemd inside then
fails to kill its own groups ("Input/output error", measured). Freezing and killing are always cgroup v2's,
which is atomic (`cgroup.kill`) and can kill what is frozen; v1's freezer can do neither.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bastide.lab.errors import LabError

_MOUNT: Final = Path("/sys/fs/cgroup")
_SYSTEMD_RUNS: Final = Path("/run/systemd/system")

LOOP_GROUP: Final = "loop"
"""Below a machine's group: what boots it, again and again."""
PAYLOAD_PARENT: Final = "machine"
"""Below a machine's group: the machine and its nspawn."""


@dataclass(frozen=True, kw_only=True)
class Hierarchies:
    """Where this computer's control groups are."""

    unified: Path
    """Mount point of the cgroup v2 hierarchy."""
    others: tuple[Path, ...]
    """Further hierarchies in which each machine needs a group of its own (hybrid hosts)."""
    by_systemd: bool
    """Whether PID 1 is systemd, which must then be asked for groups."""


def detect_hierarchies(*, mount: Path = _MOUNT, systemd: Path = _SYSTEMD_RUNS) -> Hierarchies:
    """What kind of host this is. Raises `LabError` when it has no cgroup v2 at all."""
    by_systemd = systemd.is_dir()
    if (mount / "cgroup.procs").exists():
        return Hierarchies(unified=mount, others=(), by_systemd=by_systemd)
    if (mount / "unified" / "cgroup.procs").exists():
        named = mount / "systemd"
        return Hierarchies(
            unified=mount / "unified", others=(named,) if named.is_dir() else (), by_systemd=by_systemd
        )
    raise LabError(f"no cgroup v2 hierarchy at {mount}", hint="mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")


def scope_name(lab: str, machine: str) -> str:
    """The machine's unit on a systemd host; neither name can hold `:`, so the pair is unambiguous."""
    return f"bastide-{lab}:{machine}.scope"


def group_of(hosts: Hierarchies, lab: str, machine: str) -> Path:
    """The machine's group in the unified hierarchy; it need not exist."""
    if hosts.by_systemd:
        return hosts.unified / "bastide.slice" / scope_name(lab, machine)
    return hosts.unified / "bastide" / lab / machine


def all_groups(hosts: Hierarchies, lab: str, machine: str) -> tuple[Path, ...]:
    """The machine's group in every hierarchy that it needs one in; the unified one first."""
    own = group_of(hosts, lab, machine)
    return (own, *(other / own.relative_to(hosts.unified) for other in hosts.others))


def launch_prefix(hosts: Hierarchies, lab: str, machine: str) -> list[str]:
    """What to put before a machine's command so that it starts in its group; empty when `place` does it."""
    if not hosts.by_systemd:
        return []
    return [
        "systemd-run",
        "--quiet",
        "--scope",
        "--collect",
        f"--description=Machine {machine} of lab {lab}",
        "--slice=bastide.slice",
        f"--unit={scope_name(lab, machine)}",
        "--property=Delegate=yes",
        "--",
    ]


def place(hosts: Hierarchies, lab: str, machine: str, pid: int) -> None:
    """Move a process that we just made, and so all its future children, into the machine's group."""
    if hosts.by_systemd:
        return
    for group in all_groups(hosts, lab, machine):
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(f"{pid}\n")


def is_running(group: Path) -> bool:
    """Whether any process of the machine is alive."""
    return _event(group, "populated")


def is_frozen(group: Path) -> bool:
    """Whether the machine's processes are all stopped."""
    return _event(group, "frozen")


def init_pid(group: Path) -> int | None:
    """The pid, on this computer, of the machine's own PID 1."""
    try:
        pids = (group / PAYLOAD_PARENT / "payload" / "init.scope" / "cgroup.procs").read_text().split()
    except OSError:
        return None
    return min((int(pid) for pid in pids), default=None)


def set_frozen(group: Path, frozen: bool, *, within_s: float = 5) -> None:
    """Stop or resume every process of the machine at once."""
    (group / "cgroup.freeze").write_text("1" if frozen else "0")
    _wait_for(lambda: is_frozen(group) is frozen, within_s, f"{group.name} did not freeze or thaw")


def kill_all(groups: Sequence[Path], *, within_s: float = 15) -> None:
    """SIGKILL to every process of these machines at once, and wait until none is left."""
    for group in groups:
        with contextlib.suppress(FileNotFoundError):
            (group / "cgroup.kill").write_text("1")
    for group in groups:
        if not wait_until_empty(group, within_s=within_s):
            raise LabError(f"processes in {group} survived SIGKILL", hint="See this computer's kernel log.")


def kill_strays(hosts: Hierarchies, roots: Sequence[Path]) -> None:
    """SIGKILL to what is about to boot one of these `roots` but has not been put into its group yet.

    Only where systemd does the putting: there, between our launch and its answer, a raising that was killed leaves
    a starter that no group leads to. The machine's root is an argument of all that start it, and of nothing else.
    """
    if not hosts.by_systemd:
        return
    wanted = {f"--directory={root}".encode() for root in roots}
    # Again until none is found: one may have forked while we were reading.
    for _ in range(500):
        if not wanted or not _kill_processes(wanted):
            return
        time.sleep(0.01)
    raise LabError("what is about to boot these machines survived SIGKILL", hint="See this computer's kernel log.")


def _kill_processes(wanted: Set[bytes]) -> bool:
    found = False
    for process in Path("/proc").glob("[0-9]*"):
        # The descriptor holds the process fast, so that the number cannot come to mean another one in between.
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(int(process.name))
            try:
                if not wanted.isdisjoint((process / "cmdline").read_bytes().split(b"\0")):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    found = True
            finally:
                os.close(handle)
    return found


def wait_until_empty(group: Path, *, within_s: float) -> bool:
    """Whether the machine's last process ended within that time."""
    end = time.monotonic() + within_s
    while is_running(group):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def remove_groups(hosts: Hierarchies, lab: str, machine: str) -> None:
    """Remove the directories of a machine that has ended (systemd removes a scope's itself)."""
    if hosts.by_systemd:
        return
    for hierarchy in (hosts.unified, *hosts.others):
        top = hierarchy / "bastide"
        for path, _, _ in os.walk(top / lab / machine, topdown=False):
            _remove_group(Path(path))
        for parent in (top / lab, top):
            if parent.is_dir() and not any(child.is_dir() for child in parent.iterdir()):
                _remove_group(parent)


def _remove_group(group: Path) -> None:
    # A group whose last process was just killed can stay busy for a moment after it reads as empty.
    for _ in range(50):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    group.rmdir()


def _event(group: Path, name: str) -> bool:
    try:
        return f"{name} 1" in (group / "cgroup.events").read_text().splitlines()
    except OSError:
        # ENOENT: no group; ENODEV: it was removed while we read.
        return False


def _wait_for(holds: Callable[[], bool], within_s: float, otherwise: str) -> None:
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            raise LabError(otherwise, hint="Look at the machine's console log and at this computer's kernel log.")
        time.sleep(0.005)
