"""Raising a project's lab: image, machines, and the internet machine that stands outside the walls.

In: a Project. Out: its `Target`, with every machine answering SSH. Raises LabError.
Holds: can be interrupted anywhere and run again; what runs already is left alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bastide.lab import client as lab_client
from bastide.lab.addressing import local_domain
from bastide.lab.disk import read_papers
from bastide.lab.errors import LabError
from bastide.lab.image import ensure_image
from bastide.lab.machines import MachineEvent, MachineSpec, machine_state, raise_machines, stop_machine
from bastide.lab.packages import DEFAULT_PACKAGES
from bastide.lab.requirements import missing_tools
from bastide.lab.state import reserve_networks
from bastide.pki.authority import open_authority
from bastide.project.local_names import point_domain
from bastide.project.opening import Project
from bastide.project.target import CLIENT, Target, lab_target
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import Endpoint, ssh_argv


class Steps(Protocol):
    """Where progress goes."""

    def step(self, label: str) -> AbstractContextManager[object]: ...

    def say(self, text: str) -> None: ...


def raise_lab(project: Project, steps: Steps, *, now: datetime, disk_bytes: int | None = None) -> Target:
    """Image and machines. The hosts are Debian and nothing more yet; the client is complete.

    `disk_bytes`: new machines get disks of their own of that size.
    """
    missing = missing_tools()
    if missing:
        raise LabError(f"this computer lacks {', '.join(missing)}", hint=f"apt-get install {' '.join(missing)}")
    networks = reserve_networks(project.lab_name)
    target = lab_target(project, networks)
    assert target.lab is not None and target.client is not None
    with steps.step("image of the machines"):
        image = ensure_image(DEFAULT_PACKAGES, steps.say)
    with steps.step("machines"):
        _raise_machines(project, target, image, steps.say, disk_bytes)
    with steps.step("client on the internet side"):
        _prepare_client(project, target, target.client, now)
    return target


def _raise_machines(
    project: Project, target: Target, image: Path, say: Callable[[str], None], disk_bytes: int | None
) -> None:
    assert target.lab is not None
    plan = target.lab
    machines = [
        MachineSpec(name=name, private=plan.private[name], public=plan.public.get(name), disk_bytes=disk_bytes)
        for name in plan.private
    ]
    machines.append(MachineSpec(name=CLIENT, public=plan.client))
    keys = target.state / "ssh"
    public_key = _ensure_key(keys)
    host_keys = keys / "hosts"

    outdated: list[str] = []

    def tell(event: MachineEvent) -> None:
        if event.phase in ("ready", "failed"):
            say(f"{event.machine} {event.phase} after {event.seconds:.1f} s")
        elif event.phase == "outdated":
            outdated.append(event.machine)

    def raise_all() -> None:
        raise_machines(
            project.lab_name,
            machines,
            image=image,
            authorized_key=public_key,
            host_keys_dir=host_keys,
            on_event=tell,
        )

    raise_all()
    if disk_bytes is not None:
        kept = [name for name in plan.private if read_papers(project.lab_name, name).spec.disk_bytes != disk_bytes]
        if kept:
            say(
                f"{', '.join(kept)}: there already, and keeps the disk that it has (bastide destroy makes room for another)"
            )
    if outdated:
        # Another role may have given a machine another network: it boots again with it, on the same disk.
        again = tuple(outdated)
        say(f"{', '.join(again)}: booting again with other network cards")
        stop_machine(project.lab_name, *again)
        raise_all()
    _stop_leavers(project, [m.name for m in machines], say)
    known = [f"{m.reachable_at} {_first_two((host_keys / f'{m.name}.pub').read_text())}\n" for m in machines]
    (keys / "known_hosts").write_text("".join(known))


def _stop_leavers(project: Project, names: list[str], say: Callable[[str], None]) -> None:
    left = [m.name for m in machine_state(project.lab_name) if m.running and m.name not in names]
    if left:
        # Their disks may hold data: only `destroy` removes them.
        say(f"{', '.join(left)}: no longer in the spec, stopped")
        stop_machine(project.lab_name, *left)


def _ensure_key(folder: Path) -> str:
    folder.mkdir(mode=0o700, exist_ok=True)
    key = folder / "id_ed25519"
    if not key.with_suffix(".pub").exists():
        key.unlink(missing_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bastide lab", "-f", str(key)], check=True
        )
    return key.with_suffix(".pub").read_text().strip()


def _first_two(public_key: str) -> str:
    return " ".join(public_key.split()[:2])


def _prepare_client(project: Project, target: Target, client: Endpoint, now: datetime) -> None:
    assert target.lab is not None
    topology = resolve_topology(target.spec)
    authority = open_authority(
        target.state / "pki",
        project=project.spec.name,
        internal_domain=topology.internal_domain,
        domains=topology.domains,
        now=now,
    )
    script = lab_client.client_script(
        domains=topology.domains,
        edge=str(target.lab.edge),
        ca_pem=authority.trust_anchor_path.read_text(),
    )
    done = subprocess.run([*ssh_argv(client), "sh"], input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise LabError(f"the client could not be prepared: {done.stderr.strip()[-400:]}", hint="bastide up again")


def publish_locally(project: Project, target: Target) -> bool:
    """Make the lab's domain work on this computer too. False when another lab has the name."""
    assert target.lab is not None
    return point_domain(project.lab_name, local_domain(project.spec), str(target.lab.edge))
