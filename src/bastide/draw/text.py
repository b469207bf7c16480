"""How wide text is, without a font at hand.

In: text, size, weight. Out: an upper bound of its width in pixels; the text, cut so that it fits.
Holds: the table is DejaVu Sans, the widest of the fonts that browsers fall back to, so that what fits here fits with
Arial, Helvetica, Inter or Segoe as well.
"""

from __future__ import annotations

_FIRST = 32
_REGULAR = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34,
    84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99,
    69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52,
    39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
)  # fmt: skip
_BOLD = (
    35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40,
    84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100, 84, 85, 73, 85, 77, 72, 68, 81, 77, 110,
    77, 72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72, 68, 44, 72, 71, 34, 34, 67, 34, 104, 71, 69, 72, 72, 49, 60,
    48, 71, 65, 92, 65, 65, 58, 71, 37, 71, 84,
)  # fmt: skip
"""Hundredths of the size, from the space to the tilde."""
_WIDEST = 110
ELLIPSIS = "…"


def measure(text: str, size: float, *, bold: bool = False) -> float:
    """Width in pixels, at most."""
    table = _BOLD if bold else _REGULAR
    return sum(_advance(character, table) for character in text) * size / 100


def fit(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if measure(text, size, bold=bold) <= width:
        return text
    for end in range(len(text) - 1, 0, -1):
        short = text[:end].rstrip() + ELLIPSIS
        if measure(short, size, bold=bold) <= width:
            return short
    return ELLIPSIS


def _advance(character: str, table: tuple[int, ...]) -> int:
    index = ord(character) - _FIRST
    return table[index] if 0 <= index < len(table) else _WIDEST
