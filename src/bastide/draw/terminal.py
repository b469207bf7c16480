"""Picture -> lines of a terminal: tiers from top to bottom, hosts beside each other, walls as heavy frames.

In: a picture, a width in columns. Out: lines of styled spans, for whoever prints them. Holds: no line is wider than
asked for (at least 40); every host is in it, stacks as one frame; what is not encrypted says `PLAIN`, without colour too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bastide.draw.model import Picture
from bastide.draw.outline import INTERNET, Group, Link, Node, Outline, derive_outline
from bastide.topology.model import Flow

FRAME = 24
"""Columns of one host, frame included."""
NARROWEST = 40
_STYLE_OF = {"mtls": "mtls", "tls": "tls", "plain": "plain", "ssh": "quiet"}
_NAMES = {"mtls": "mTLS", "tls": "HTTPS", "plain": "PLAIN", "ssh": "SSH"}


class Span(NamedTuple):
    """Text of one style: wall, name, note, heading, mtls, tls, plain, quiet, accent or crown."""

    text: str
    style: str


Line = tuple[Span, ...]


def render_terminal(picture: Picture, width: int) -> tuple[Line, ...]:
    """All lines."""
    room = max(width, NARROWEST)
    return tuple(_clipped(line, room) for line in _lines(derive_outline(picture), room))


def _clipped(line: Line, width: int) -> Line:
    kept: list[Span] = []
    for span in line:
        room = width - sum(len(k.text) for k in kept)
        if len(span.text) > room:
            kept.append(Span(f"{span.text[: room - 1]}…" if room > 0 and span.text.strip() else "", span.style))
            break
        kept.append(span)
    return tuple(kept)


def _lines(outline: Outline, width: int) -> Iterator[Line]:
    yield (Span("  internet", "tls"), Span(f"  {outline.domain}", "note"))
    above = {INTERNET}
    for group in outline.groups:
        arriving = [link for link in outline.links if link.target in _names(group) and link.source in above]
        yield from _arrows(arriving)
        yield from _group(group, width)
        inside = [link for link in outline.links if {link.source, link.target} <= _names(group)]
        yield from _inside(group, inside)
        above |= _names(group)


def _names(group: Group) -> set[str]:
    return {group.name, *(node.name for node in group.nodes)}


def _arrows(links: Sequence[Link]) -> Iterator[Line]:
    flows = _flows(links)
    for flow in flows:
        yield (Span("      │ ", _style(flow)), Span(_label(flow), _style(flow)), Span(f"  {flow.why}", "note"))
    if flows:
        yield (Span("      ▼", _style(flows[-1])),)


def _inside(group: Group, links: Sequence[Link]) -> Iterator[Line]:
    for flow in _flows(links):
        yield (Span("  ↔ ", _style(flow)), Span(_label(flow), _style(flow)), Span(f"  {flow.why}", "note"))


def _flows(links: Sequence[Link]) -> list[Flow]:
    return list(dict.fromkeys(flow for link in links for flow in link.flows))


def _style(flow: Flow) -> str:
    return "quiet" if flow.protocol == "vrrp" else _STYLE_OF[flow.encryption]


def _label(flow: Flow) -> str:
    return "VRRP" if flow.protocol == "vrrp" else f"{_NAMES[flow.encryption]} {flow.port}"


def _group(group: Group, width: int) -> Iterator[Line]:
    yield (Span(group.heading.upper(), "heading"),)
    across = max(1, width // (FRAME + 1))
    for first in range(0, len(group.nodes), across):
        frames = [_frame(node) for node in group.nodes[first : first + across]]
        height = max(len(frame) for frame in frames)
        padded = [_stretched(frame, height) for frame in frames]
        for row in zip(*padded, strict=True):
            yield tuple(span for line in row for span in (*line, Span(" ", "note")))


def _stretched(frame: list[Line], height: int) -> list[Line]:
    return [*frame[:-1], *([_row("", "note")] * (height - len(frame))), frame[-1]]


def _frame(node: Node) -> list[Line]:
    badge = " ♛" if node.primary else ""
    rows = [_row(f"{node.title}{badge}", "crown" if node.primary else "name"), _row(node.note, "note")]
    if node.virtual_ip:
        rows.append(_row(node.virtual_ip, "accent"))
    rows += [_row(line, "note") for line in _wrapped(node.services)]
    top = (Span(f"┏{'━' * (FRAME - 2)}┓", "wall"),)
    return [top, *rows, _gates(node.ports)]


def _gates(ports: Sequence[str]) -> Line:
    """Openings of the wall, as many as fit."""
    told = ""
    for index, port in enumerate(ports):
        more = f" {port}"
        room = FRAME - 5 - (2 if index < len(ports) - 1 else 0)
        if len(told) + len(more) > room:
            told += " …"
            break
        told += more
    if not told:
        return (Span(f"┗{'━' * (FRAME - 2)}┛", "wall"),)
    rest = "━" * (FRAME - 4 - len(told))
    return (Span("┗━", "wall"), Span(f"{told} ", "quiet"), Span(f"{rest}┛", "wall"))


def _row(text: str, style: str) -> Line:
    inner = FRAME - 4
    shown = text if len(text) <= inner else text[: inner - 1] + "…"
    return (Span("┃ ", "wall"), Span(f"{shown:<{inner}}", style), Span(" ┃", "wall"))


def _wrapped(words: Sequence[str]) -> Iterator[str]:
    line = ""
    for word in words:
        longer = f"{line} · {word}" if line else word
        if line and len(longer) > FRAME - 4:
            yield line
            longer = word
        line = longer
    if line:
        yield line
