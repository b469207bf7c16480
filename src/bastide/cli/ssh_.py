"""`bastide ssh HOST`: a shell on a host."""

from __future__ import annotations

import click

from bastide.cli.options import Options, with_options


@click.command("ssh")
@with_options
@click.argument("host")
def command(options: Options, host: str) -> int:
    """Log in to a host (or to the lab's client)."""
    import subprocess

    from bastide.cli.hosts import endpoint_of
    from bastide.transport.endpoint import ssh_argv

    return subprocess.call(ssh_argv(endpoint_of(options.chosen_target(), host), tty=True))
