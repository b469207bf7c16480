"""`bastide lab`: faults on lab machines, as a power cut or a pulled cable would make them."""

from __future__ import annotations

from collections.abc import Callable

import click

from bastide.cli.options import Options, print_json, with_options


@click.group("lab")
def command() -> None:
    """Break and mend lab machines."""


def _fault(name: str, summary: str) -> None:
    @command.command(name, help=summary)
    @with_options
    @click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
    def verb(options: Options, hosts: tuple[str, ...]) -> int:
        from bastide.cli.hosts import check_hosts
        from bastide.cli.progress import Progress
        from bastide.lab import faults
        from bastide.project.target import choose_target

        project = options.project()
        check_hosts(choose_target(project, "lab"), hosts, client=True)
        action: Callable[..., None] = {
            "kill": faults.kill_machine,
            "start": faults.start_machine,
            "cut": faults.cut,
            "heal": faults.heal,
            "freeze": faults.freeze,
            "thaw": faults.thaw,
        }[name]
        with Progress(options.progress).step(f"{name} {' '.join(hosts)}"):
            action(project.lab_name, *hosts)
        return 0


_fault("kill", "Cut the power of machines; their disks stay.")
_fault("start", "Boot killed machines again.")
_fault("cut", "Pull the network cables of machines.")
_fault("heal", "Plug them in again.")
_fault("freeze", "Stop machines from running, as a hypervisor that pauses them.")
_fault("thaw", "Let frozen machines run again.")


@command.command("replace")
@with_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
def replace(options: Options, yes: bool, hosts: tuple[str, ...]) -> int:
    """Throw machines away with their disks, and put new ones in their places. `bastide apply` makes them hosts."""
    from contextlib import suppress
    from datetime import UTC, datetime

    from bastide.cli.hosts import check_hosts
    from bastide.cli.progress import Progress
    from bastide.lab.disk import read_papers
    from bastide.lab.errors import UnknownMachine
    from bastide.lab.machines import remove_machine
    from bastide.project.raising import raise_lab
    from bastide.project.target import choose_target
    from bastide.transport.ssh import hang_up

    project = options.project()
    target = choose_target(project, "lab")
    check_hosts(target, hosts)
    if not yes:
        click.confirm(f"Throw away everything on {', '.join(hosts)}?", abort=True, err=True)
    progress = Progress(options.progress)
    for host in hosts:
        disk_bytes = None
        with suppress(UnknownMachine):  # an interrupted `replace` removed it already
            disk_bytes = read_papers(project.lab_name, host).spec.disk_bytes
        hang_up(target.endpoint(host))
        with progress.step(f"remove {host} and its disk"):
            remove_machine(project.lab_name, host)
        raise_lab(project, progress, now=datetime.now(UTC), disk_bytes=disk_bytes)
    return 0


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_labs(as_json: bool) -> int:
    """The labs of this computer and their machines."""
    from bastide.lab.machines import machine_state
    from bastide.lab.state import known_labs

    labs = {lab: machine_state(lab) for lab in known_labs()}
    if as_json:
        rows = [
            {
                "name": lab,
                "machines": [{"name": m.name, "running": m.running, "frozen": m.frozen, "cut": m.cut} for m in ms],
            }
            for lab, ms in labs.items()
        ]
        print_json({"version": 1, "labs": rows})
        return 0
    if not labs:
        click.echo("No labs on this computer.")
    for lab, machines in labs.items():
        click.echo(lab)
        for m in machines:
            state = "frozen" if m.frozen else "cut off" if m.cut else "running" if m.running else "stopped"
            click.echo(f"  {m.name:<16} {state:<8} {m.private or m.public}")
    return 0
