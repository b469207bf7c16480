"""Raise a lab's machines, look at them, and put them away: the lab's public verbs.

In: a lab's name and plain machine values. Out: machines that answer SSH. Holds: every verb can be
interrupted at any point and run again; running machines are left alone; a machine's disk survives
everything but `destroy` and `remove_machine`. Faults (kill, cut, freeze, …) are in `lab.faults` and can be
had from here too.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bastide.lab import network
from bastide.lab.booting import boot
from bastide.lab.cgroups import (
    Hierarchies,
    detect_hierarchies,
    group_of,
    init_pid,
    is_frozen,
    is_running,
    kill_all,
    kill_strays,
    remove_groups,
)
from bastide.lab.disk import (
    Papers,
    delete_disk,
    machine_dir,
    prepare_disk,
    read_papers,
    recorded_machines,
    write_seed,
)
from bastide.lab.errors import LabError, UnknownMachine
from bastide.lab.faults import cut, freeze, heal, kill_machine, start_machine, stop_machine, thaw
from bastide.lab.hostkeys import ensure_host_key
from bastide.lab.limits import raise_limits, restore_limits
from bastide.lab.names import LabNetworks
from bastide.lab.readiness import await_machines
from bastide.lab.seed import seed_files
from bastide.lab.spec import MachineEvent, MachineSpec, MachineState, Phase, check_machines
from bastide.lab.state import LABS, find_networks, forget_lock, lab_lock, reserve_networks

__all__ = [
    "MachineEvent",
    "MachineSpec",
    "MachineState",
    "cut",
    "destroy",
    "down",
    "freeze",
    "heal",
    "kill_machine",
    "machine_state",
    "raise_machines",
    "remove_machine",
    "start_machine",
    "stop_machine",
    "thaw",
]


def raise_machines(
    lab: str,
    machines: Sequence[MachineSpec],
    *,
    image: Path,
    authorized_key: str,
    host_keys_dir: Path,
    on_event: Callable[[MachineEvent], None],
    deadline_s: float = 90,
) -> None:
    """Make every machine run and answer SSH. Raises `MachineFailed` with the logs of those that do not.

    `image` comes from `ensure_image`; `authorized_key` is the one line that may log in as root; host keys
    are kept in `host_keys_dir` as `<name>` and `<name>.pub`. Machines of the lab that are not listed are
    left alone.
    """
    began = time.monotonic()

    def tell(machine: str, phase: Phase) -> None:
        on_event(MachineEvent(machine=machine, phase=phase, seconds=time.monotonic() - began))

    hosts = detect_hierarchies()
    networks = reserve_networks(lab)
    check_machines(machines, networks)
    raise_limits()
    with lab_lock(lab):
        network.ensure_bridges(networks)
        asleep: list[MachineSpec] = []
        for machine in machines:
            if not is_running(group_of(hosts, lab, machine.name)):
                asleep.append(machine)
            else:
                known = read_papers(lab, machine.name).spec
                same = known == replace(machine, disk_bytes=known.disk_bytes)  # which it keeps
                tell(machine.name, "running" if same else "outdated")
        # A raising that was killed may have left starters, which would take the place of ours, with cables that are gone.
        _end(hosts, lab, [machine.name for machine in asleep])
        papers = [
            _prepare(lab, networks, machine, machines, image, authorized_key, host_keys_dir) for machine in asleep
        ]
        network.plug(networks, asleep)
        for paper in papers:
            boot(hosts, lab, networks, paper)
            tell(paper.spec.name, "booting")
    _await_reachable(lab, machines, deadline_s, tell)


def machine_state(lab: str) -> list[MachineState]:
    """Every machine that the lab has, running or not, by name; empty when there is no such lab."""
    networks = find_networks(lab)
    if networks is None:
        return []
    hosts = detect_hierarchies()
    states: list[MachineState] = []
    for name in recorded_machines(lab):
        try:
            spec = read_papers(lab, name).spec
        except UnknownMachine:
            continue  # its raising was interrupted before anything was recorded
        group = group_of(hosts, lab, name)
        running = is_running(group)
        states.append(
            MachineState(
                name=name,
                running=running,
                frozen=running and is_frozen(group),
                cut=running and network.is_cut(networks, name),
                pid=init_pid(group) if running else None,
                private=spec.private,
                public=spec.public,
            )
        )
    return states


def down(lab: str) -> None:
    """Power every machine off, cleanly and all at once, and remove bridges; disks stay for the next raise."""
    networks = find_networks(lab)
    if networks is None:
        return
    for state in machine_state(lab):
        if state.frozen:
            thaw(lab, state.name)
    stop_machine(lab, *recorded_machines(lab))
    with lab_lock(lab):
        network.remove_bridges(networks)


def remove_machine(lab: str, machine: str) -> None:
    """Remove one machine and its disk; the rest of the lab goes on.

    Without such a machine, nothing happens.
    """
    networks = find_networks(lab)
    if networks is not None:
        with lab_lock(lab):
            _erase(lab, (machine,), networks)


def destroy(lab: str) -> None:
    """Remove every trace of the lab, in whatever state a crash left it.

    Without such a lab, nothing happens.
    """
    networks = find_networks(lab)
    with lab_lock(lab):
        if networks is not None:
            _erase(lab, recorded_machines(lab), networks)
            network.remove_bridges(networks)
        if (LABS / lab).is_dir():
            # Last, and the slot's record with it: until here another destroy could finish the work.
            shutil.rmtree(LABS / lab)
        forget_lock(lab)
    restore_limits()


def _prepare(
    lab: str,
    networks: LabNetworks,
    machine: MachineSpec,
    machines: Sequence[MachineSpec],
    image: Path,
    authorized_key: str,
    host_keys_dir: Path,
) -> Papers:
    if not image.is_dir():
        raise LabError(f"there is no image at {image}", hint="Build it first (`ensure_image`).")
    host_key, host_key_public = ensure_host_key(host_keys_dir, machine.name)
    papers = prepare_disk(lab, machine, image)
    files = seed_files(
        machine,
        networks=networks,
        neighbours=machines,
        machine_id=papers.machine_id,
        authorized_key=authorized_key,
        host_key=host_key,
        host_key_public=host_key_public,
    )
    write_seed(machine_dir(lab, machine.name), files)
    return papers


def _await_reachable(
    lab: str,
    machines: Sequence[MachineSpec],
    deadline_s: float,
    tell: Callable[[str, Phase], None],
) -> None:
    # A machine that somebody froze or cut off is left so, and cannot answer.
    faulted = {state.name for state in machine_state(lab) if state.frozen or state.cut}
    await_machines(lab, [m for m in machines if m.name not in faulted], deadline_s, tell)


def _end(hosts: Hierarchies, lab: str, machines: Sequence[str]) -> None:
    kill_strays(hosts, [machine_dir(lab, machine) / "root" for machine in machines])
    kill_all([group_of(hosts, lab, machine) for machine in machines])


def _erase(lab: str, machines: Sequence[str], networks: LabNetworks) -> None:
    hosts = detect_hierarchies()
    network.unplug(networks, *machines)
    _end(hosts, lab, machines)
    network.unplug(networks, *machines)  # see `kill_machine`
    for machine in machines:
        remove_groups(hosts, lab, machine)
        delete_disk(machine_dir(lab, machine))
