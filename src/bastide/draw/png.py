"""Picture -> PNG, by resvg, with fonts of our own.

In: a picture, a theme, a scale. Out: bytes of a PNG. Raises PngUnavailable where the extra `png` is not installed.
Holds: the same on every computer: no font of the system is looked at.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Literal

from bastide.draw.flat import flatten_svg
from bastide.draw.model import Picture
from bastide.draw.svg import render_svg

_FONT = "DejaVu Sans"


class PngUnavailable(Exception):
    """The converter is not installed."""

    hint = "install it: pip install 'bastide[png]'; or write an .svg, which every browser shows"

    def __init__(self) -> None:
        super().__init__("a PNG needs the package resvg-py, which is not installed")


def render_png(picture: Picture, *, theme: Literal["light", "dark"], scale: float = 2.0) -> bytes:
    """The picture; `scale` pixels for each of its units."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise PngUnavailable from None
    svg = flatten_svg(render_svg(picture, theme=theme, live=False), theme)
    with as_file(files("bastide.draw") / "fonts") as fonts:
        return bytes(
            svg_to_bytes(
                svg_string=svg,
                zoom=scale,
                skip_system_fonts=True,
                font_dirs=[str(fonts)],
                font_family=_FONT,
                sans_serif_family=_FONT,
            )
        )
