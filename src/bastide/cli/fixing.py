"""`bastide audit --fix`: show the edits, ask, write them."""

from __future__ import annotations

import sys

import click

from bastide.cli.options import Options


def fix_project(options: Options, *, today: str, yes: bool) -> bool:
    """Fix the spec; False when it was left as it is. All of it is said on stderr, so that stdout is the report's."""
    from bastide.project.fixing import fix_spec

    fixed = fix_spec(options.project(), options.target, today=today)
    if not fixed.changed:
        click.echo("No edit removes anything that was found.", err=True)
    else:
        _show(fixed.diff())
        for finding in fixed.removed:
            click.echo(f"removes {finding.rule.id} {finding.element}: {finding.rule.title}", err=True)
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("there is no terminal to ask on; --yes writes without asking.")
            if not click.confirm("Write this? (comments are left as they are: read them again)", err=True):
                click.echo("left as it is", err=True)
                return False
        fixed.write()
        click.echo(f"Wrote {', '.join(file.name for file in fixed.changed)}.", err=True)
    for finding, reason in fixed.left:
        click.echo(f"left {finding.rule.id} {finding.element}: {reason}", err=True)
    return True


def _show(diff: str) -> None:
    for line in diff.splitlines():
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        click.secho(line, fg=colour, err=True, color=None if sys.stderr.isatty() else False)
