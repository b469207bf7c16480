"""Paths of edges and their arrows' heads.

In: two points. Out: SVG path data. Holds: a line enters what it reaches at a right angle.
"""

from __future__ import annotations


def curve(x1: int, y1: int, x2: int, y2: int) -> str:
    """From the left to the right."""
    if y1 == y2:
        return f"M{x1} {y1}H{x2}"
    bend = (x2 - x1) // 2
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def bus(x1: int, y1: int, x2: int, y2: int, middle: int) -> str:
    """By an upright line that many share: a bundle, where single curves would be a tangle."""
    return f"M{x1} {y1}H{x2}" if y1 == y2 else f"M{x1} {y1}L{middle} {y1}L{middle} {y2}L{x2} {y2}"


def arc(x1: int, y1: int, x2: int, y2: int, reach: int) -> str:
    """From one to another in the same column, around their right side."""
    return f"M{x1} {y1}C{reach} {y1} {reach} {y2} {x2} {y2}"


def head(x: int, y: int, way: str) -> str:
    """A head with its point at that place: `right`, `left` or `down`."""
    legs = {"right": "l-8 -4v8z", "left": "l8 -4v8z", "down": "l-4 -7h8z"}
    return f"M{x} {y}{legs[way]}"
