"""`bastide history`: who applied what, when, from which commit, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    from bastide.project.history import HistoryLine


@click.command("history")
@with_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=30, show_default=True, help="The newest so many."
)
def command(options: Options, as_json: bool, lines: int) -> int:
    """Show what was done to the hosts: from their own journals and this controller's, as one."""
    from bastide.project.history import read_history

    found = read_history(options.chosen_target())[-lines:]
    if as_json:
        print_json({"version": 1, "history": [line.to_json() for line in found]})
    elif not found:
        click.echo("nothing was ever applied")
    else:
        _print(found)
    return 0


def _print(found: list[HistoryLine]) -> None:
    import time

    width = max(len(line.who) for line in found)
    for line in found:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(line.at))
        what = f"apply {line.number}" if line.operation == "apply" else f"back to {line.number}"
        if not line.number and line.operation == "apply":
            what = "apply"  # it changed nothing, so it has no number
        commit = line.commit or "-"
        hosts = ", ".join(sorted(line.hosts))
        why = f": {line.why}" if line.why else ""
        click.echo(f"{at} UTC  {what:<10}  {line.result:<11}  {line.who:<{width}}  {commit:<13}  {hosts}{why}")
