"""Raising small labs of a test's own, and asking their machines things over SSH."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from bastide.lab.image import DEFAULT_PACKAGES, ensure_image
from bastide.lab.machines import MachineEvent, MachineSpec, destroy, raise_machines
from bastide.lab.names import LabNetworks
from bastide.lab.state import reserve_networks
from tests.waiting import wait_until

_CHECKOUT = hashlib.sha256(str(Path(__file__).resolve().parent).encode()).hexdigest()[:6]


def of_this_checkout(name: str) -> str:
    """A lab's name that tests of another working copy, at the same time, do not use."""
    return f"{name}-{_CHECKOUT}"


@dataclass(frozen=True, kw_only=True)
class SmallLab:
    """A lab that a test may break."""

    name: str
    networks: LabNetworks
    machines: tuple[MachineSpec, ...]
    keys: Path

    def up(self, *, deadline_s: float = 90) -> list[MachineEvent]:
        """Raise all machines; what was reported."""
        events: list[MachineEvent] = []
        raise_machines(
            self.name,
            self.machines,
            image=ensure_image(DEFAULT_PACKAGES, lambda _: None),
            authorized_key=(self.keys / "key.pub").read_text(),
            host_keys_dir=self.keys / "hosts",
            on_event=events.append,
            deadline_s=deadline_s,
        )
        return events

    def machine(self, name: str) -> MachineSpec:
        """One of its machines."""
        return next(machine for machine in self.machines if machine.name == name)

    def ssh(self, name: str, script: str, *, timeout_s: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a shell script on a machine, whose host key must be the one that we gave it."""
        address = str(self.machine(name).reachable_at)
        known = self.keys / f"known-{name}"
        host_key = " ".join((self.keys / "hosts" / f"{name}.pub").read_text().split()[:2])
        known.write_text(f"{address} {host_key}\n")
        options = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "BatchMode=yes"]
        options += [f"ConnectTimeout={min(15.0, timeout_s - 2):.0f}"]
        argv = [
            "ssh",
            "-i",
            str(self.keys / "key"),
            *(f"-o{option}" for option in options),
            f"root@{address}",
            "sh",
        ]
        return subprocess.run(argv, input=script, capture_output=True, text=True, timeout=timeout_s, check=False)

    def ask(self, name: str, script: str) -> str:
        """What the script printed; it must succeed."""
        done = self.ssh(name, f"set -e\n{script}")
        assert done.returncode == 0, f"{name}: {done.stderr}{done.stdout}"
        return done.stdout.strip()

    def answers(self, name: str) -> bool:
        """Whether the machine runs a command within a few seconds."""
        try:
            return self.ssh(name, "true", timeout_s=8).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def await_answers(self, *names: str) -> None:
        """Until they do, however busy this computer is."""
        for name in names:
            wait_until(partial(self.answers, name))


@contextlib.contextmanager
def small_lab(name: str, keys: Path, *machines: str, public: bool = True) -> Iterator[SmallLab]:
    """A lab that is not raised yet, destroyed before and after."""
    name = of_this_checkout(name)
    destroy(name)
    if not (keys / "key").exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "key")], check=True)
    networks = reserve_networks(name)
    specs = tuple(
        MachineSpec(
            name=machine,
            private=IPv4Interface((networks.private[number], 24)),
            private6=IPv6Interface((networks.private6[number], 64)),
            public=IPv4Interface((networks.public[number], 24)) if public else None,
        )
        for number, machine in enumerate(machines, start=10)
    )
    try:
        yield SmallLab(name=name, networks=networks, machines=specs, keys=keys)
    finally:
        destroy(name)
