"""`bastide diagram`: the whiteboard, as a file or in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bastide.cli.options import Options, with_format, with_options

if TYPE_CHECKING:
    from bastide.draw.model import Picture

_STYLES = {
    "wall": "rgb(185,98,62)", "name": "bold", "note": "dim", "heading": "bold dim", "mtls": "green", "tls": "blue",
    "plain": "bold red", "quiet": "dim", "accent": "bold blue", "crown": "bold yellow",
}  # fmt: skip
_SUFFIXES = (".svg", ".png", ".mmd", ".drawio")


@click.command("diagram")
@with_options
@with_format
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write .svg, .png, .mmd (Mermaid) or .drawio; without it, draw in the terminal.")  # fmt: skip
@click.option("--dark", "theme", flag_value="dark", help="For dark pages.")
@click.option(
    "--light", "theme", flag_value="light", help="For light pages. Without either an SVG follows the reader's."
)
@click.option("--scale", type=click.FloatRange(0.25, 8), default=2.0, show_default=True, help="Size of a PNG.")
def command(options: Options, out: Path | None, theme: Literal["dark", "light"] | None, scale: float) -> int:
    """Draw the infrastructure: tiers, hosts with their walls and gates, who talks to whom and how it is protected."""
    from bastide.draw.picture import derive_picture
    from bastide.project.described import describe_project

    if out is not None and out.suffix not in _SUFFIXES:
        raise click.UsageError(f"--out takes a file that ends with {', '.join(_SUFFIXES)}; '{out.name}' does not.")
    picture = derive_picture(describe_project(options.project()).topology)
    if out is None:
        _draw_here(picture)
        return 0
    out.write_bytes(_render(picture, out.suffix, theme, scale))
    click.echo(f"{out}", err=True)
    return 0


def _render(picture: Picture, suffix: str, theme: Literal["dark", "light"] | None, scale: float) -> bytes:
    from bastide.draw.drawio import render_drawio
    from bastide.draw.mermaid import render_mermaid
    from bastide.draw.png import render_png
    from bastide.draw.svg import render_svg

    match suffix:
        case ".svg":
            return render_svg(picture, theme=theme or "auto", live=False).encode()
        case ".png":
            return render_png(picture, theme=theme or "light", scale=scale)
        case ".mmd":
            return render_mermaid(picture, theme=theme or "light").encode()
        case _:
            return render_drawio(picture, theme=theme or "light").encode()


def _draw_here(picture: Picture) -> None:
    from rich.console import Console
    from rich.text import Text

    from bastide.draw.terminal import render_terminal

    console = Console(highlight=False, soft_wrap=True)
    for line in render_terminal(picture, console.width):
        text = Text()
        for span in line:
            text.append(span.text, style=_STYLES[span.style])
        text.rstrip()
        console.print(text)
