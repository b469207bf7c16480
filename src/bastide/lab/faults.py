"""What can be done to a machine: pull its plug, its cables, stop its clock, and undo each.

In: a lab and the names of machines in it. Holds: each act is idempotent, hits all the named machines
together, and raises `UnknownMachine` before touching any when a name is wrong.
"""

import os
import signal
from collections.abc import Callable

from bastide.lab import network
from bastide.lab.booting import boot
from bastide.lab.cgroups import (
    Hierarchies,
    detect_hierarchies,
    group_of,
    init_pid,
    is_running,
    kill_all,
    remove_groups,
    set_frozen,
    wait_until_empty,
)
from bastide.lab.disk import read_papers
from bastide.lab.errors import LabError
from bastide.lab.names import LabNetworks
from bastide.lab.readiness import await_machines
from bastide.lab.spec import MachineSpec
from bastide.lab.state import find_networks, lab_lock

# What systemd as PID 1 understands as "power off, in order" (SIGRTMIN+4 is the same for systemctl poweroff;
# nspawn itself sends +3, halt).
_POWER_OFF = signal.SIGRTMIN + 4


def kill_machine(lab: str, *machines: str) -> None:
    """Power loss: gone from the network at once, no process runs on, nothing is flushed or said goodbye to.

    The cables go first. Otherwise the kernel would close the dying processes' connections in order, and
    peers would be told at once what a real power loss lets them find out by timeout. The disk stays as it
    was.
    """
    networks, _ = _known(lab, machines)
    hosts = detect_hierarchies()
    with lab_lock(lab):
        network.unplug(networks, *machines)
        kill_all([group_of(hosts, lab, machine) for machine in machines])
        # Once more: one that was rebooting just then had been given fresh cables.
        network.unplug(networks, *machines)
        for machine in machines:
            remove_groups(hosts, lab, machine)


def start_machine(lab: str, *machines: str, deadline_s: float = 60) -> None:
    """Switch machines on again, same disks, all cables plugged in; returns when SSH answers."""
    networks, specs = _known(lab, machines)
    hosts = detect_hierarchies()
    with lab_lock(lab):
        network.ensure_bridges(networks)
        asleep = [spec for spec in specs if not is_running(group_of(hosts, lab, spec.name))]
        network.plug(networks, asleep)
        for spec in asleep:
            boot(hosts, lab, networks, read_papers(lab, spec.name))
    await_machines(lab, asleep, deadline_s, lambda _machine, _phase: None)


def stop_machine(lab: str, *machines: str, within_s: float = 30) -> None:
    """Power off in order; a machine that has not ended after `within_s` is killed.

    Frozen ones are thawed first.
    """
    networks, _ = _known(lab, machines)
    hosts = detect_hierarchies()
    with lab_lock(lab):
        running = [name for name in machines if is_running(group_of(hosts, lab, name))]
        for machine in running:
            set_frozen(group_of(hosts, lab, machine), False)
            pid = init_pid(group_of(hosts, lab, machine))
            if pid is None:  # too early in its boot to be asked
                kill_all([group_of(hosts, lab, machine)])
            else:
                os.kill(pid, _POWER_OFF)
        for machine in running:
            group = group_of(hosts, lab, machine)
            if not wait_until_empty(group, within_s=within_s):
                kill_all([group])
        network.unplug(networks, *machines)
        for machine in machines:
            remove_groups(hosts, lab, machine)


def cut(lab: str, *machines: str) -> None:
    """Pull all network cables of running machines (SSH from this computer goes dead too)."""
    _each_running(lab, machines, lambda networks, _, name: network.set_cables(networks, name, plugged=False))


def heal(lab: str, *machines: str) -> None:
    """Plug the cables in again."""
    _each_running(lab, machines, lambda networks, _, name: network.set_cables(networks, name, plugged=True))


def freeze(lab: str, *machines: str) -> None:
    """Stop every process of running machines at once; their kernel still answers ping and handshakes."""
    _each_running(lab, machines, lambda _, hosts, name: set_frozen(group_of(hosts, lab, name), True))


def thaw(lab: str, *machines: str) -> None:
    """Let frozen machines go on where they stopped."""
    _each_running(lab, machines, lambda _, hosts, name: set_frozen(group_of(hosts, lab, name), False))


def _each_running(
    lab: str, machines: tuple[str, ...], act: Callable[[LabNetworks, Hierarchies, str], None]
) -> None:
    networks, _ = _known(lab, machines)
    hosts = detect_hierarchies()
    with lab_lock(lab):
        dead = [name for name in machines if not is_running(group_of(hosts, lab, name))]
        if dead:
            raise LabError(f"not running: {', '.join(dead)}", hint="Start it first (`bastide lab start`).")
        for machine in machines:
            act(networks, hosts, machine)


def _known(lab: str, machines: tuple[str, ...]) -> tuple[LabNetworks, list[MachineSpec]]:
    networks = find_networks(lab)
    if networks is None:
        raise LabError(f"there is no lab {lab!r} on this computer", hint="Raise it first (`bastide up`).")
    return networks, [read_papers(lab, name).spec for name in machines]
