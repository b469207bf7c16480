"""`bastide destroy`: remove the lab without a trace."""

from __future__ import annotations

import click

from bastide.cli.options import Options, with_options


@click.command("destroy")
@with_options
@click.option(
    "--lab", "lab_name", metavar="NAME", help="A lab by its name (bastide lab list), even if its spec is gone."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(options: Options, lab_name: str | None, yes: bool) -> int:
    """Remove the lab: machines, networks, disks, its keys. Servers are never touched."""
    import sys

    from bastide.cli.progress import Progress
    from bastide.lab.machines import destroy
    from bastide.project.local_names import forget_domain

    project = None if lab_name else options.project()
    name = lab_name or project.lab_name  # type: ignore[union-attr]
    if not yes and sys.stdin.isatty() and not click.confirm(f"Remove lab {name} with all its data?", err=True):
        click.echo("left as it is", err=True)
        return 0
    with Progress(options.progress).step(f"removing lab {name}"):
        forget_domain(name)
        destroy(name)
        if project is not None:
            project.forget("lab")
    return 0
