"""Sizes of everything, in pixels, and where columns and rows begin."""

from __future__ import annotations

CARD_WIDTH, CARD_HEIGHT = 152, 94
WALL = 7
"""From a card's edge to its wall's outer edge."""
GAP = 84
"""Between the walls of neighbouring columns."""
MARGIN = 14
CLOUD_WIDTH, CLOUD_HEIGHT = 100, 66
BAND_TOP, HEADING_Y, FIRST_ROW = 12, 33, 60
BAND_PAD = 11
"""From a wall to its band's edge."""
ROW_PITCH = CARD_HEIGHT + 2 * WALL + 32
COLUMN_PITCH = CARD_WIDTH + 2 * WALL + GAP
FIRST_COLUMN = MARGIN + CLOUD_WIDTH + 66 + WALL
ANCHOR = 58
"""Where edges meet a card, from its top."""
CHIPS_TOP, CHIP_HEIGHT, CHIP_PITCH, CHIP_GAP = 46, 18, 22, 5
PAD = 10
GATE_HEIGHT, GATE_GAP = 14, 3
GATE_REACH = 20
"""How far the gate of requests stands out of its wall: edges end there."""
NAME_SIZE, NOTE_SIZE, CHIP_SIZE, GATE_SIZE, HEADING_SIZE, BADGE_SIZE = 14, 10, 10.5, 8.5, 11, 10.5
STRIP_GAP = 40
STRIP_CARD_WIDTH = 236
LEGEND_LINE, LEGEND_COLUMN, LEGEND_LINES = 22, 232, 3
"""Its lines below each other, and how far its columns stand apart."""


def column_x(index: int) -> int:
    """Left edge of a column's cards."""
    return FIRST_COLUMN + index * COLUMN_PITCH


def row_y(row: int) -> int:
    """Upper edge of a row's cards."""
    return FIRST_ROW + WALL + row * ROW_PITCH
