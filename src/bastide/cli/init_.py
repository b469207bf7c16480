"""`bastide init`: a commented bastide.yaml from a preset."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--preset", type=click.Choice(["whiteboard", "resilient"]), default="resilient", show_default=True,
              help="whiteboard: as first drawn, with its flaws. resilient: without them.")  # fmt: skip
@click.option("--name", help="Name of the project; by default the folder's name.")
@click.option("--force", is_flag=True, help="Replace an existing bastide.yaml.")
def command(directory: Path, preset: str, name: str | None, force: bool) -> int:
    """Begin a project: write a commented bastide.yaml from a preset."""
    import re

    from bastide.spec.presets import preset_text, starter_files
    from bastide.spec.schema import render_schema

    target = directory / "bastide.yaml"
    if target.exists() and not force:
        raise click.UsageError(f"{target} exists already; --force replaces it.")
    if name is None:
        name = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-")[:32]
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name):
        raise click.UsageError(f"'{name}' is no project name: lower-case letters, digits and dashes; give --name.")
    directory.mkdir(parents=True, exist_ok=True)
    target.write_text(preset_text(preset, name))
    schema = directory / ".bastide" / "bastide.schema.json"
    schema.parent.mkdir(mode=0o700, exist_ok=True)
    schema.write_text(render_schema())
    click.echo(f"Wrote {target}.")
    # Code that is there already is the user's; the starter fills only what is missing as a whole.
    missing = [top for top in ("app", "static") if not (directory / top).exists()]
    for path, text in starter_files().items():
        if path.split("/")[0] in missing:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
    if missing:
        click.echo(
            f"Wrote a small application to begin with: {', '.join(f'{directory / top}/' for top in missing)}"
        )
    where = "" if directory == Path() else f"cd {directory} && "
    click.echo(f"Next: {where}bastide up")
    return 0
