"""`bastide exec HOST -- CMD…`: a command on a host, with its own exit code, stdin and stdout."""

from __future__ import annotations

import click

from bastide.cli.options import Options, with_options


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@with_options
@click.argument("host")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
def command(options: Options, host: str, argv: tuple[str, ...]) -> int:
    """Run a command on a host (or on the lab's client); its exit code is passed through."""
    import shlex
    import subprocess
    import sys

    from bastide.cli.hosts import endpoint_of
    from bastide.transport.endpoint import ssh_argv

    endpoint = endpoint_of(options.chosen_target(), host)
    words = argv[1:] if argv[0] == "--" else argv
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    # One word is a line for the host's shell, as with ssh; several are a program and its arguments, untouched.
    line = words[0] if len(words) == 1 else shlex.join(words)
    return subprocess.call([*ssh_argv(endpoint, tty=tty), line])
