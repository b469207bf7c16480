"""`bastide down`: stop the lab, keep its state."""

from __future__ import annotations

import click

from bastide.cli.options import Options, with_options


@click.command("down")
@with_options
def command(options: Options) -> int:
    """Stop the lab; its state is kept, and bastide up goes on from there."""
    from bastide.cli.progress import Progress
    from bastide.lab.machines import down
    from bastide.project.local_names import forget_domain

    project = options.project()
    with Progress(options.progress).step(f"stopping lab {project.lab_name}"):
        forget_domain(project.lab_name)
        down(project.lab_name)
    return 0
