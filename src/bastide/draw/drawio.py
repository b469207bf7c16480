"""Picture -> draw.io (diagrams.net): the same places, as shapes that can be moved and edited.

In: a picture, a theme. Out: the XML of an uncompressed file. Holds: ids are those of the SVG where there is one, so two
exports can be compared; every connector's ends exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from bastide.draw.model import Box, Card, Conversation, Picture, Stack
from bastide.draw.style import KINDS, colours_of

_FONT = "fontFamily=Helvetica;html=1;whiteSpace=wrap;"


def render_drawio(picture: Picture, *, theme: Literal["light", "dark"]) -> str:
    """The file's text."""
    colours = colours_of(theme)
    cells = [
        *_bands(picture, colours),
        *(cell for card in picture.cards for cell in _card(card, colours)),
        *(cell for stack in picture.stacks for cell in _stack(stack, colours)),
        *_conversations(picture, colours),
        *_chits(picture, colours),
    ]
    attributes = (
        f'dx="0" dy="0" grid="0" page="0" pageWidth="{picture.width}" pageHeight="{picture.height}" '
        f'background="{colours["paper"]}"'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<mxfile host="bastide" type="device">\n'
        f"<diagram id={quoteattr(picture.name)} name={quoteattr(picture.name)}>\n<mxGraphModel {attributes}>\n<root>\n"
        '<mxCell id="0"/>\n<mxCell id="1" parent="0"/>\n' + "\n".join(cells) + "\n"
        "</root>\n</mxGraphModel>\n</diagram>\n</mxfile>\n"
    )


def _shape(ident: str, box: Box, style: str, label: str = "") -> str:
    return (
        f'<mxCell id={quoteattr(ident)} value={quoteattr(label)} style={quoteattr(style)} vertex="1" parent="1">'
        f'<mxGeometry x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" as="geometry"/></mxCell>'
    )


def _bands(picture: Picture, colours: Mapping[str, str]) -> Iterator[str]:
    style = (
        f"rounded=1;arcSize=4;fillColor={colours['band']};strokeColor={colours['band-edge']};verticalAlign=top;"
        f"fontStyle=1;fontSize=11;fontColor={colours['soft']};spacingTop=8;{_FONT}"
    )
    for column in picture.columns:
        yield _shape(f"tier-{column.zone}", column.box, style, column.heading)
    if picture.strip:
        yield _shape("monitoring", picture.strip, f"{style}align=left;spacingLeft=12;", "MONITORING")
    cloud = f"shape=cloud;fillColor={colours['cloud']};strokeColor={colours['tls']};fontColor={colours['ink']};"
    label = f"<b>internet</b><br>{escape(picture.domain)}"
    yield _shape("internet", picture.cloud, f"{cloud}fontSize=11;{_FONT}", label)


def _host_style(colours: Mapping[str, str]) -> str:
    return (
        f"rounded=0;fillColor={colours['card']};strokeColor={colours['brick']};strokeWidth=5;align=left;"
        f"verticalAlign=top;spacingLeft=6;spacingTop=2;fontSize=12;fontColor={colours['ink']};{_FONT}"
    )


def _words(title: str, note: str) -> str:
    return f"<b>{escape(title)}</b><br><font style='font-size: 10px'>{escape(note)}</font>"


def _card(card: Card, colours: Mapping[str, str]) -> Iterator[str]:
    yield _shape(f"host-{card.host}", card.box, _host_style(colours), _words(card.name, card.note))
    chip_style = (
        f"rounded=1;arcSize=50;fillColor={colours['chip']};strokeColor={colours['chip-edge']};fontSize=10;"
        f"fontColor={colours['ink']};{_FONT}"
    )
    for chip in card.chips:
        yield _shape(f"svc-{card.host}-{chip.product}", chip.box, chip_style, escape(chip.label))
    for gate in card.gates:
        style = (
            f"rounded=1;fillColor={colours['gate']};strokeColor={colours['brick']};fontSize=8;"
            f"fontColor={colours['ink']};{_FONT}"
        )
        open_ = "" if gate.encrypted else "dashed=1;"
        yield _shape(f"gate-{card.host}-{gate.label.lower()}", gate.box, style + open_, gate.label)


def _stack(stack: Stack, colours: Mapping[str, str]) -> Iterator[str]:
    style = f"{_host_style(colours)}shadow=1;"
    yield _shape(f"stack-{stack.name}", stack.box, style, _words(stack.title, stack.note))


def _conversations(picture: Picture, colours: Mapping[str, str]) -> Iterator[str]:
    shapes = {card.host: (f"host-{card.host}", card.box) for card in picture.cards}
    shapes |= {host: (f"stack-{stack.name}", stack.box) for stack in picture.stacks for host in stack.hosts}
    bands = {f"{column.zone}-monitors": (f"tier-{column.zone}", column.box) for column in picture.columns}
    for conversation in picture.conversations:
        for edge in conversation.edges:
            source = shapes[edge.sources[0]] if edge.sources else ("internet", picture.cloud)
            target = shapes[edge.targets[0]] if edge.targets else source
            if edge.name in bands and picture.strip:
                source, target = bands[edge.name], ("monitoring", picture.strip)
            ident = f"edge-{conversation.flow.name}-{edge.name}"
            yield _connector(ident, _line(conversation, edge.strength, colours), edge.path, source, target)
        if conversation.badge:
            style = (
                f"rounded=1;arcSize=50;fillColor={colours['paper']};strokeColor={_colour(conversation, colours)};"
                f"fontColor={_colour(conversation, colours)};fontSize=10;fontStyle=1;{_FONT}"
            )
            lock = "\N{OPEN LOCK}" if conversation.flow.encryption == "plain" else "\N{LOCK}"
            label = f"{lock} {conversation.label}".rstrip()
            yield _shape(f"flow-{conversation.flow.name}", conversation.badge, style, escape(label))


def _colour(conversation: Conversation, colours: Mapping[str, str]) -> str:
    flow = conversation.flow
    return colours[KINDS["vrrp" if flow.protocol == "vrrp" else flow.encryption]]


def _line(conversation: Conversation, strength: str, colours: Mapping[str, str]) -> str:
    dashed = conversation.flow.encryption == "plain" or strength == "standby"
    return (
        f"edgeStyle=none;curved=1;endArrow=block;endFill=1;endSize=5;strokeColor={_colour(conversation, colours)};"
        f"strokeWidth={1.2 if strength == 'faint' else 1.8};{'dashed=1;' if dashed else ''}html=1;"
    )


def _connector(ident: str, style: str, path: str, source: tuple[str, Box], target: tuple[str, Box]) -> str:
    """A line that begins and ends where the picture's does, and follows its shapes when these are moved."""
    start, bends, end = _points(path)
    points = "".join(f'<mxPoint x="{x}" y="{y}"/>' for x, y in bends)
    within = f'<Array as="points">{points}</Array>' if bends else ""
    if source[0] == target[0]:
        # Inside one host: a loop of draw.io's own would leave it.
        ends = ""
        within = (
            f'<mxPoint x="{start[0]}" y="{start[1]}" as="sourcePoint"/>'
            f'<mxPoint x="{end[0]}" y="{end[1]}" as="targetPoint"/>{within}'
        )
    else:
        style += _anchor("exit", start, source[1]) + _anchor("entry", end, target[1])
        ends = f" source={quoteattr(source[0])} target={quoteattr(target[0])}"
    return (
        f'<mxCell id={quoteattr(ident)} value="" style={quoteattr(style)} edge="1" parent="1"{ends}>'
        f'<mxGeometry relative="1" as="geometry">{within}</mxGeometry></mxCell>'
    )


def _anchor(end: str, point: tuple[int, int], box: Box) -> str:
    x, y = (point[0] - box.x) / box.width, (point[1] - box.y) / box.height
    return f"{end}X={x:.4g};{end}Y={y:.4g};{end}Perimeter=0;"


def _points(path: str) -> tuple[tuple[int, int], list[tuple[int, int]], tuple[int, int]]:
    """First point, bends and last point of one of our own paths: M with H, V, C, or lines."""
    numbers = [int(number) for number in re.findall(r"-?\d+", path)]
    start, kind = (numbers[0], numbers[1]), "".join(re.findall(r"[HVCL]", path))
    rest = numbers[2:]
    if kind == "H":
        return start, [], (rest[0], start[1])
    if kind == "V":
        return start, [], (start[0], rest[0])
    pairs = list(zip(rest[::2], rest[1::2], strict=True))
    return start, pairs[:-1], pairs[-1]


def _chits(picture: Picture, colours: Mapping[str, str]) -> Iterator[str]:
    if picture.virtual_ip:
        style = (
            f"rounded=1;arcSize=50;fillColor={colours['accent']};strokeColor={colours['paper']};fontSize=10;fontStyle=1;"
            f"fontColor={colours['on-accent']};{_FONT}"
        )
        yield _shape("vip", picture.virtual_ip.box, style, escape(picture.virtual_ip.label))
    if picture.crown:
        style = (
            f"text;fontSize=18;fontColor={colours['crown']};align=center;verticalAlign=middle;fillColor=none;"
            f"strokeColor=none;{_FONT}"
        )
        yield _shape("crown", picture.crown.box, style, "♛")
