"""SVG elements as text.

In: names and attributes. Out: markup, escaped. Holds: `Marks` never hands out an id twice.
"""

from __future__ import annotations

from itertools import count
from xml.sax.saxutils import escape, quoteattr

from bastide.draw.model import Box
from bastide.draw.sizes import WALL

Attribute = tuple[str, object]


class Marks:
    """Ids that are taken. Host names hold dashes, so that two different things may come to the same id."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, ident: str) -> str:
        """That id, or, if it is taken, the same with a number that is free."""
        free = ident
        for number in count(2):
            if free not in self._taken:
                break
            free = f"{ident}--{number}"
        self._taken.add(free)
        return free


def element(name: str, *attributes: Attribute, open_: bool = False) -> str:
    """`<name …/>`, or only its beginning."""
    words = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes)
    return f"<{name}{words}{'>' if open_ else '/>'}"


def text(name: str, x: float, y: float, words: str, *, anchor: str = "start", ident: str = "") -> str:
    """A line of text."""
    attributes: list[Attribute] = [("id", ident)] if ident else []
    attributes += [("class", name)] if name else []
    attributes += [("x", f"{x:g}"), ("y", f"{y:g}")]
    attributes += [("text-anchor", anchor)] if anchor != "start" else []
    return f"{element('text', *attributes, open_=True)}{escape(words)}</text>"


def rect(name: str, box: Box, radius: int) -> str:
    """A box with round corners."""
    return element(
        "rect", *((("class", name),) if name else ()), ("x", box.x), ("y", box.y), ("width", box.width),
        ("height", box.height), ("rx", radius),
    )  # fmt: skip


def wall(box: Box, thickness: int = WALL) -> str:
    """A frame, to be filled by the even-odd rule."""
    inner = box.grown(-thickness)
    return (
        f"M{box.x} {box.y}H{box.right}V{box.bottom}H{box.x}Z"
        f"M{inner.x} {inner.y}V{inner.bottom}H{inner.right}V{inner.y}Z"
    )
