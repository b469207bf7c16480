"""How one machine is started: the command line (pure) and its launch into a control group of its own.

Holds: a machine outlives the command that started it (own session, own log file, no pipe to us); nothing
boots before it is in its group, even if we are killed in between; its overlay is mounted in a mount
namespace of its own, so that no crash leaves a mount behind.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bastide.lab.cgroups import LOOP_GROUP, PAYLOAD_PARENT, Hierarchies, all_groups, launch_prefix, place
from bastide.lab.disk import DISK, REPLUG, machine_dir
from bastide.lab.errors import LabError
from bastide.lab.names import namespace
from bastide.lab.state import LABS

# Beyond nspawn's own: firewall and interfaces; locked memory, resource limits and BPF, which hardened units
# ask for. Not: loading modules, raw I/O, setting the clock.
_CAPABILITIES: Final = "CAP_NET_ADMIN,CAP_IPC_LOCK,CAP_SYS_RESOURCE,CAP_BPF,CAP_PERFMON"
# nspawn leaves /proc/sys/net read-only in a namespace that it did not make, unless told otherwise.
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
}
# nspawn with --keep-unit leaves "reboot" to its caller, by this exit status (systemd-nspawn@.service: the same).
_REBOOT_STATUS: Final = 133
# Waits for one line, which comes once this shell is in its group; if we die before, it reads end-of-file
# and ends.
_GATE: Final = 'read -r _ || exit 1; exec setsid --fork -- "$@" </dev/null'
# Boots, and boots again when the machine reboots, with fresh cables as with a real one whose kernel starts over.
# This loop and the machine are in groups of their own below the machine's: where controllers can be handed down
# (hosts with systemd) no process may remain in the group above.
_BOOT_LOOP: Final = f"""
groups=$1 replug=$2; shift 2
for group in $groups; do
  mkdir -p "$group/{LOOP_GROUP}" "$group/{PAYLOAD_PARENT}" || exit
  echo $$ >"$group/{LOOP_GROUP}/cgroup.procs" || exit
  for controller in $(cat "$group/cgroup.controllers" 2>/dev/null); do
    echo "+$controller" >"$group/cgroup.subtree_control"
  done
done
while :; do
  sh -c 'for group in $1; do echo $$ >"$group/{PAYLOAD_PARENT}/cgroup.procs" || exit; done; shift; exec "$@"' \\
    sh "$groups" "$@"
  [ $? = {_REBOOT_STATUS} ] && sh "$replug" || exit
done
"""
_MOUNT_AND_RUN: Final = 'mount -t overlay overlay -o "$1" "$2" && shift 2 && exec "$@"'
# What was seeded is moved onto the machine's own disk; interrupted, the next boot does so again.
_MOUNT_DISK: Final = f"""home=$1; shift
tries=50 # the kernel may not have let go of it since the machine was killed
until mount -o loop "$home/{DISK}" "$home/disk"; do
  tries=$((tries - 1)); [ $tries -gt 0 ] || exit 1; sleep 0.1
done
mkdir -p "$home/disk/upper" "$home/disk/work" || exit
cp -a "$home/upper/." "$home/disk/upper/" && find "$home/upper" -mindepth 1 -delete || exit
exec "$@"
"""


def overlay_options(image: Path, home: Path) -> str:
    """Mount options of the machine's overlay."""
    layers = home / "disk" if (home / DISK).exists() else home
    return f"lowerdir={image},upperdir={layers / 'upper'},workdir={layers / 'work'}"


def nspawn_command(*, machine: str, unique: str, root: Path, netns: Path) -> list[str]:
    """The systemd-nspawn command that boots `root`; `unique` names it on this computer."""
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--settings=no",
        f"--directory={root}",
        f"--machine={unique}",
        f"--hostname={machine}",
        f"--network-namespace-path={netns}",
        f"--capability={_CAPABILITIES}",
        "--system-call-filter=@keyring @memlock bpf perf_event_open",
        "--rlimit=NOFILE=1024:524288",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
    ]


def mounted_command(image: Path, home: Path, command: Sequence[str]) -> list[str]:
    """`command`, run where the machine's overlay is mounted and nobody else sees it."""
    disk = ["sh", "-c", _MOUNT_DISK, "sh", str(home)] if (home / DISK).exists() else []
    return [
        *("unshare", "--mount", "--propagation", "private", "--"),
        *disk,
        *("sh", "-c", _MOUNT_AND_RUN, "sh", overlay_options(image, home), str(home / "root")),
        *command,
    ]


def launch(hosts: Hierarchies, *, lab: str, index: int, machine: str, image: Path, labs: Path = LABS) -> None:
    """Start the machine and return at once; its disk and cables must be ready."""
    home = machine_dir(lab, machine, labs=labs)
    inside = namespace(index, machine)
    command = nspawn_command(machine=machine, unique=inside, root=home / "root", netns=Path("/run/netns") / inside)
    groups = " ".join(str(group) for group in all_groups(hosts, lab, machine))
    loop = ["sh", "-c", _BOOT_LOOP, "sh", groups, str(home / REPLUG)]
    argv = [*launch_prefix(hosts, lab, machine), *loop, *mounted_command(image, home, command)]
    log = os.open(home / "console.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        starter = subprocess.Popen(
            ["sh", "-c", _GATE, "sh", *argv],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=_ENVIRONMENT,
        )
    finally:
        os.close(log)
    with starter:
        place(hosts, lab, machine, starter.pid)
        starter.communicate(b"go\n", timeout=30)
    if starter.returncode != 0:
        raise LabError(f"machine {machine} could not be started", hint=f"See {home / 'console.log'}.")
