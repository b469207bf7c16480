"""`bastide config`: the resolved spec, with origins."""

from __future__ import annotations

import click

from bastide.cli.options import Options, print_json, with_format, with_options


@click.command("config")
@with_options
@with_format
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--origins/--no-origins", default=True, help="Say where each value comes from.")
def command(options: Options, as_json: bool, origins: bool) -> int:
    """Print the resolved spec, with where each value comes from."""
    from bastide.spec.resolved import resolved_document, resolved_json

    loaded = options.project().loaded
    if as_json:
        print_json(resolved_json(loaded))
    else:
        click.echo(resolved_document(loaded, origins=origins), nl=False)
    return 0
