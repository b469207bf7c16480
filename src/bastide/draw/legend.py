"""What the picture's signs mean.

In: a picture. Out: SVG of its legend, in columns as its place allows.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.draw.marks import element, rect, text, wall
from bastide.draw.model import Box, Picture
from bastide.draw.sizes import LEGEND_COLUMN, LEGEND_LINE


def render_legend(picture: Picture) -> Iterator[str]:
    """The signs of this picture with their meaning."""
    box = picture.legend
    signs = [
        (wall(Box(x=0, y=0, width=22, height=14), 4), "wall", "a firewall around each host"),
        ("", "gate", "a port that some peer may reach"),
        ("closed", "lock", "encrypted on the wire"),
        ("open", "lock", "readable by whoever listens"),
        ("", "crown", "the primary database"),
    ]
    if picture.crown is None:
        signs.pop()
    down = max(1, box.height // LEGEND_LINE)
    yield '<g class="legend">'
    for index, (detail, kind, words) in enumerate(signs):
        x, y = box.x + index // down * LEGEND_COLUMN, box.y + index % down * LEGEND_LINE
        yield f'<g transform="translate({x} {y})">{_sign(kind, detail)}{text("", 30, 11, words)}</g>'
    yield "</g>"


def _sign(kind: str, detail: str) -> str:
    if kind == "wall":
        return element("path", ("class", "wall"), ("d", detail))
    if kind == "gate":
        return f'<g class="gate">{rect("", Box(x=0, y=0, width=22, height=14), 3)}</g>'
    if kind == "lock":
        lock = element("use", ("class", "lock"), ("href", f"#bastide-lock-{detail}"), ("x", 5))
        return f'<g class="flow {"mtls" if detail == "closed" else "plain"}"><g class="badge">{lock}</g></g>'
    return element(
        "use", ("class", "crown"), ("href", "#bastide-crown"), ("transform", "translate(1 0) scale(.68)")
    )
