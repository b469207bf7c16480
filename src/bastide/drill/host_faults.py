"""Whole hosts: power, cables, a pause, a reboot.

In: FaultSpec, Ground. Holds: all but the reboot are the lab's own (`bastide lab kill|freeze|cut`), which see a machine from
outside, so that the proof of their effect needs no answer of the machine.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bastide.drill.ground import Ground, ShellFailed
from bastide.drill.refusals import FaultWithoutEffect
from bastide.drill.scenario import FaultSpec
from bastide.lab import faults
from bastide.lab.machines import MachineState, machine_state


@dataclass(frozen=True)
class _LabFault:
    spec: FaultSpec
    ground: Ground

    @property
    def lab(self) -> str:
        """Name of the lab."""
        assert self.ground.lab is not None
        return self.ground.lab

    def states(self) -> dict[str, MachineState]:
        """The targets, as seen from this computer."""
        return {m.name: m for m in machine_state(self.lab) if m.name in self.spec.targets}

    def hang_up(self) -> None:
        """No kept connection may outlive the machine."""
        for host in self.spec.targets:
            self.ground.hang_up(host)


def _shown(broken: dict[str, bool], how: str) -> dict[str, Any]:
    still = [host for host, is_broken in broken.items() if not is_broken]
    if still:
        raise FaultWithoutEffect(f"{', '.join(still)} was to be {how}, and is not")
    return {how: sorted(broken)}


class KillHosts(_LabFault):
    """Power loss."""

    def begin(self) -> None:
        """Cut the power."""
        self.hang_up()
        faults.kill_machine(self.lab, *self.spec.targets)

    def proof(self) -> dict[str, Any]:
        """No process of it is left."""
        return _shown({name: not m.running for name, m in self.states().items()}, "without power")

    def end(self) -> None:
        """Boot what does not run."""
        faults.start_machine(self.lab, *self.spec.targets)


class FreezeHosts(_LabFault):
    """As a hypervisor that pauses it."""

    def begin(self) -> None:
        """Stop every process of it."""
        self.hang_up()
        faults.freeze(self.lab, *self.spec.targets)

    def proof(self) -> dict[str, Any]:
        """The kernel says that it is frozen."""
        return _shown({name: m.frozen for name, m in self.states().items()}, "frozen")

    def end(self) -> None:
        """Let it run; one that lost its power meanwhile is booted."""
        running = [name for name, m in self.states().items() if m.running]
        if running:
            faults.thaw(self.lab, *running)
        faults.start_machine(self.lab, *self.spec.targets)


class CutHosts(_LabFault):
    """Its cables are pulled."""

    def begin(self) -> None:
        """Pull them."""
        self.hang_up()
        faults.cut(self.lab, *self.spec.targets)

    def proof(self) -> dict[str, Any]:
        """Its cables are down."""
        return _shown({name: m.cut for name, m in self.states().items()}, "cut off")

    def end(self) -> None:
        """Plug them in."""
        running = [name for name, m in self.states().items() if m.running]
        if running:
            faults.heal(self.lab, *running)
        faults.start_machine(self.lab, *self.spec.targets)


@dataclass(frozen=True)
class RebootHosts:
    """In order, by its own init; it comes back by itself."""

    spec: FaultSpec
    ground: Ground

    def begin(self) -> None:
        """Tell it to; it may hang up before it has answered."""
        for host in self.spec.targets:
            script = "cat /proc/sys/kernel/random/boot_id >/dev/null; systemctl --no-block reboot"
            with suppress(ShellFailed):
                self.ground.shell(host, script, timeout_s=15)
            self.ground.hang_up(host)

    def proof(self) -> dict[str, Any]:
        """It stops answering, or has been up for less than a minute."""
        for host in self.spec.targets:
            try:
                state = self.ground.shell(host, "systemctl is-system-running || true", timeout_s=10)
                age = float(self.ground.shell(host, "ps -o etimes= -p 1", timeout_s=10))
            except ShellFailed:
                continue
            if state != "stopping" and age > 60:
                raise FaultWithoutEffect(f"{host} was to reboot, and does not")
        return {"rebooting": list(self.spec.targets)}

    def end(self) -> None:
        """In a lab, a machine that did not come back is booted."""
        if self.ground.lab is not None:
            faults.start_machine(self.ground.lab, *self.spec.targets)
