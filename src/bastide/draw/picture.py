"""Topology -> Picture: a grid of tiers, walls with gates, and the conversations between them.

In: the topology. Out: `Picture`. Holds: pure and deterministic, no graph layout; another host moves nothing of
another tier (the strip below follows the longest column, by whole rows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bastide.draw.cards import derive_slots as slots_of
from bastide.draw.cards import draw_card, draw_stack
from bastide.draw.edges import Place, draw_conversations, main_flow
from bastide.draw.grid import STRIP, Unit, derive_tiers, place_strip, place_tiers
from bastide.draw.model import Box, Card, Chit, Column, Conversation, Picture, Stack
from bastide.draw.sizes import (
    ANCHOR,
    BAND_PAD,
    BAND_TOP,
    CARD_HEIGHT,
    CARD_WIDTH,
    CHIP_SIZE,
    CLOUD_HEIGHT,
    CLOUD_WIDTH,
    HEADING_SIZE,
    LEGEND_COLUMN,
    LEGEND_LINE,
    LEGEND_LINES,
    MARGIN,
    NOTE_SIZE,
    PAD,
    ROW_PITCH,
    STRIP_CARD_WIDTH,
    STRIP_GAP,
    WALL,
    column_x,
    row_y,
)
from bastide.draw.text import fit, measure
from bastide.topology.model import Topology, Zone

_HEADINGS: Mapping[Zone, str] = {
    "balancer": "BALANCERS",
    "web": "WEB SERVERS",
    "app": "APPLICATION",
    "database": "DATABASE",
}
_REPLICATION_ROOM = 40
_STRIP_HEAD = 38


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    cards: tuple[Card, ...]
    stacks: tuple[Stack, ...]
    places: tuple[Place, ...]


def derive_picture(topology: Topology) -> Picture:
    """What an infrastructure looks like."""
    tiers = derive_tiers(topology)
    units = place_tiers(topology)
    rows = max((unit.row for unit in units), default=0) + 1
    bands_bottom = row_y(rows - 1) + CARD_HEIGHT + WALL + BAND_PAD + 3
    columns = tuple(_column(tier, index, bands_bottom) for index, tier in enumerate(tiers))
    bands_right = columns[-1].box.right if columns else column_x(0)
    tiered = _draw_tiers(topology, units, {tier: column_x(index) for index, tier in enumerate(tiers)})
    below = place_strip(topology)
    strip, watched = _draw_strip(topology, below, bands_right, bands_bottom)
    replicated = topology.has_flow("database-replication") and len(topology.tier("database")) > 1
    width = max(bands_right, strip.right if strip else 0) + (_REPLICATION_ROOM if replicated else MARGIN)
    legend = _legend(strip, watched, columns, bands_bottom)
    bottom = max(strip.bottom if strip else bands_bottom, legend.bottom)
    anchors = [place.anchor for place in tiered.places if place.tier == "balancer"] or [row_y(0) + ANCHOR]
    cloud = Box(
        x=MARGIN,
        y=(anchors[0] + anchors[-1]) // 2 - CLOUD_HEIGHT // 2,
        width=CLOUD_WIDTH,
        height=CLOUD_HEIGHT,
    )
    conversations: Sequence[Conversation] = draw_conversations(topology, tiered.places, columns, cloud, strip)
    return Picture(
        name=topology.name,
        width=width,
        height=bottom + MARGIN,
        domain=fit(topology.domains[0], NOTE_SIZE, CLOUD_WIDTH + 36) if topology.domains else "",
        cloud=cloud,
        columns=columns,
        strip=strip,
        cards=(*tiered.cards, *watched.cards),
        stacks=(*tiered.stacks, *watched.stacks),
        conversations=tuple(conversations),
        virtual_ip=_virtual_ip(topology, tiered.cards),
        crown=_crown(topology, tiered.cards, tiered.places),
        legend=legend,
    )


def _column(tier: Zone, index: int, bottom: int) -> Column:
    x = column_x(index) - WALL - BAND_PAD
    width = CARD_WIDTH + 2 * (WALL + BAND_PAD)
    return Column(
        zone=tier,
        heading=fit(_HEADINGS[tier], HEADING_SIZE, CARD_WIDTH, bold=True),
        box=Box(x=x, y=BAND_TOP, width=width, height=bottom - BAND_TOP),
    )


def _draw_tiers(topology: Topology, units: Sequence[Unit], x_of: Mapping[Zone, int]) -> _Drawn:
    cards: list[Card] = []
    stacks: list[Stack] = []
    places: list[Place] = []
    for unit in units:
        left, right = x_of[unit.columns[0]], x_of[unit.columns[-1]] + CARD_WIDTH
        box = Box(x=left, y=row_y(unit.row), width=right - left, height=CARD_HEIGHT)
        if unit.stack:
            stacks.append(draw_stack(unit, box))
        else:
            main = main_flow(topology, unit.columns[0])
            cards.append(draw_card(topology, unit.hosts[0], box, slots_of(unit, x_of, box.y), main))
        places.extend(_places(unit, box, x_of))
    order = {name: index for index, name in enumerate(topology.hosts)}
    cards.sort(key=lambda card: order[card.host])
    places.sort(key=lambda place: order[place.hosts[0]])
    return _Drawn(cards=tuple(cards), stacks=tuple(stacks), places=tuple(places))


def _places(unit: Unit, box: Box, x_of: Mapping[Zone, int]) -> Iterator[Place]:
    """Where edges of each tier begin and end: at the wall, or inside the card of a host that spans tiers."""
    for tier in unit.columns:
        if not any(tier in host.roles for host in unit.hosts):
            continue
        x = x_of[tier]
        yield Place(
            tier=tier,
            name=f"{'-'.join(unit.columns)}-more" if unit.stack else unit.hosts[0].name,
            hosts=tuple(host.name for host in unit.hosts),
            left=x - WALL if x == box.x else x,
            right=x + CARD_WIDTH + (WALL if x + CARD_WIDTH == box.right else 0),
            anchor=box.y + ANCHOR,
            top=box.y - WALL,
            bottom=box.bottom + WALL,
            gated=x == box.x and not unit.stack,
            stack=unit.stack,
        )


def _draw_strip(topology: Topology, units: Sequence[Unit], right: int, bottom: int) -> tuple[Box | None, _Drawn]:
    if not units:
        return None, _Drawn(cards=(), stacks=(), places=())
    x, y = column_x(0) - WALL - BAND_PAD, bottom + STRIP_GAP
    room = STRIP_CARD_WIDTH + 2 * WALL + BAND_PAD
    across = max(1, (right - x - BAND_PAD) // room)
    cards: list[Card] = []
    stacks: list[Stack] = []
    for unit in units:
        box = Box(
            x=x + BAND_PAD + WALL + unit.row % across * room,
            y=y + _STRIP_HEAD + WALL + unit.row // across * ROW_PITCH,
            width=STRIP_CARD_WIDTH,
            height=CARD_HEIGHT,
        )
        if unit.stack:
            stacks.append(draw_stack(unit, box))
            continue
        host = unit.hosts[0]
        inner = Box(x=box.x + PAD, y=box.y, width=box.width - 2 * PAD, height=box.height)
        roles = [role for role in host.roles if role in STRIP]
        cards.append(draw_card(topology, host, box, {roles[0]: inner}, None))
    lines = -(-len(units) // across)
    height = _STRIP_HEAD + lines * ROW_PITCH - 32 + BAND_PAD + 3
    width = max(right - x, min(across, len(units)) * room + BAND_PAD)
    return Box(x=x, y=y, width=width, height=height), _Drawn(cards=tuple(cards), stacks=tuple(stacks), places=())


def _legend(strip: Box | None, watched: _Drawn, columns: Sequence[Column], bottom: int) -> Box:
    boxes = [*(card.wall for card in watched.cards), *(stack.wall for stack in watched.stacks)]
    if strip and boxes:
        free = max(wall.right for wall in boxes) + 44
        if free + 2 * LEGEND_COLUMN <= strip.right:
            y = strip.y + (strip.height - LEGEND_LINES * LEGEND_LINE) // 2 + 8
            return Box(x=free, y=y, width=strip.right - free, height=LEGEND_LINES * LEGEND_LINE)
    x = columns[0].box.x + 4 if columns else MARGIN
    y = (strip.bottom if strip else bottom) + MARGIN
    width = max([*(column.box.right for column in columns), x + LEGEND_COLUMN]) - x
    across = max(1, width // LEGEND_COLUMN)
    return Box(x=x, y=y, width=width, height=-(-5 // across) * LEGEND_LINE)


def _virtual_ip(topology: Topology, cards: Sequence[Card]) -> Chit | None:
    holder = next((card for card in cards if "balancer" in card.roles), None)
    if topology.virtual_ip is None or holder is None:
        return None
    label = fit(f"VIP {topology.virtual_ip}", CHIP_SIZE, CARD_WIDTH - 2 * PAD - 16, bold=True)
    width = int(measure(label, CHIP_SIZE, bold=True)) + 17
    # Only the balancer's part of a host that spans tiers.
    right = holder.box.x + CARD_WIDTH
    return Chit(
        host=holder.host,
        box=Box(x=right - width + 2, y=holder.wall.y - 8, width=width, height=19),
        label=label,
        title=f"virtual address {topology.virtual_ip}",
    )


def _crown(topology: Topology, cards: Sequence[Card], places: Sequence[Place]) -> Chit | None:
    databases = [place for place in places if place.tier == "database"]
    if len(topology.tier("database")) < 2 or not databases or databases[0].stack:
        return None
    holder = next(card for card in cards if card.host == databases[0].hosts[0])
    x = max(holder.box.x, databases[0].right - CARD_WIDTH - WALL)
    return Chit(
        host=holder.host,
        box=Box(x=x + 2, y=holder.wall.y - 12, width=28, height=20),
        label="primary",
        title="primary database",
    )
