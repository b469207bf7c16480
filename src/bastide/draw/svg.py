"""Picture -> one SVG file that a README, a browser, a report and the dashboard can all show.

In: a picture, a theme, whether somebody will bring it to life. Out: SVG text, the same for the same picture.
Holds: ids are unique and stable (`host-web1`, `svc-web1-nginx`, `flow-balancer-web`, `edge-lb1-web1`, `wall-web1`,
`gate-web1-8443`, `vip`, `crown`); what a program needs besides stands in `data-` attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from bastide.draw.cards import LABELS as PRODUCT_LABELS
from bastide.draw.legend import render_legend
from bastide.draw.marks import Marks, element, rect, text, wall
from bastide.draw.model import Box, Card, Chit, Conversation, Picture, Stack
from bastide.draw.sizes import CLOUD_HEIGHT, CLOUD_WIDTH, HEADING_Y, PAD
from bastide.draw.style import DEFINITIONS, LIVE_DEFINITIONS, Theme, render_style
from bastide.topology.model import Flow

_CLOUD = (
    "M24 58C9 58 2 49 4 40C-2 30 6 19 18 20C21 7 38 1 49 9C58 0 76 4 78 17C92 15 102 27 95 38C102 48 92 58 79 58Z"
)


def render_svg(picture: Picture, *, theme: Theme, live: bool) -> str:
    """The picture as SVG. `live`: with places for figures and states, and nothing that moves by itself."""
    marks = Marks()
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {picture.width} {picture.height}" '
        f'class="bastide-picture" role="{"group" if live else "img"}" aria-labelledby="{marks.claim("picture-title")}">',
        f'<title id="picture-title">{escape(_title(picture))}</title>',
        f"<style>{render_style(theme, live=live)}</style>",
        f"<defs>{DEFINITIONS}{LIVE_DEFINITIONS if live else ''}</defs>",
        element("rect", ("class", "paper"), ("width", picture.width), ("height", picture.height), ("rx", 12)),
        *_bands(picture),
        *_cloud(picture, marks),
    ]
    for card in picture.cards:
        lines.extend(_card(card, marks, live=live))
    for stack in picture.stacks:
        lines.extend(_stack(stack, marks, live=live))
    for conversation in picture.conversations:
        lines.extend(_conversation(conversation, marks, live=live))
    lines.extend(_virtual_ip(picture.virtual_ip, marks))
    lines.extend(_crown(picture.crown, marks))
    if live:
        lines.append('<g id="traffic" aria-hidden="true"></g>')
    lines.extend(render_legend(picture))
    lines.append("</svg>\n")
    return "\n".join(lines)


def _title(picture: Picture) -> str:
    tiers = ", ".join(column.heading.lower() for column in picture.columns)
    hosts = len(picture.cards) + sum(len(stack.hosts) for stack in picture.stacks)
    return f"{picture.name}: {hosts} hosts; from the internet to {tiers}; a firewall around each host"


def _bands(picture: Picture) -> Iterator[str]:
    for column in picture.columns:
        yield rect("band", column.box, 12)
        yield text("heading", column.box.x + column.box.width // 2, HEADING_Y, column.heading, anchor="middle")
    if picture.strip:
        yield rect("band", picture.strip, 12)
        yield text("heading", picture.strip.x + 18, picture.strip.y + 22, "MONITORING")


def _cloud(picture: Picture, marks: Marks) -> Iterator[str]:
    box = picture.cloud
    yield f'<g class="internet" id={quoteattr(marks.claim("internet"))}>'
    yield element("path", ("class", "cloud"), ("transform", f"translate({box.x} {box.y})"), ("d", _CLOUD))
    yield text("name", box.x + CLOUD_WIDTH // 2, box.y + 38, "internet", anchor="middle")
    yield text("note", box.x + CLOUD_WIDTH // 2 + 4, box.y + CLOUD_HEIGHT + 9, picture.domain, anchor="middle")
    yield "</g>"


def _card(card: Card, marks: Marks, *, live: bool) -> Iterator[str]:
    interactive = (("tabindex", 0), ("role", "button"), ("aria-label", f"host {card.host}")) if live else ()
    yield element(
        "g",
        ("id", marks.claim(f"host-{card.host}")), ("class", "host unseen" if live else "host"),
        ("data-host", card.host), ("data-roles", " ".join(card.roles)), ("data-address", card.address),
        ("data-x", card.box.x), ("data-y", card.box.y), ("data-hidden", " ".join(card.hidden)), *interactive,
        open_=True,
    )  # fmt: skip
    yield element("path", ("id", marks.claim(f"wall-{card.host}")), ("class", "wall"), ("d", wall(card.wall)))
    yield rect("card", card.box, 5)
    left = card.box.x + PAD
    yield text("name", left, card.box.y + 21, card.name)
    yield text("note", left, card.box.y + 36, card.note, ident=marks.claim(f"note-{card.host}"))
    if live:
        yield _mark(card.box.right - 24, card.box.y + 9, "unseen", 1.0)
    for chip in card.chips:
        yield element(
            "g", ("id", marks.claim(f"svc-{card.host}-{chip.product}")), ("class", "chip"),
            ("data-service", chip.product), ("data-unit", chip.unit), open_=True,
        )  # fmt: skip
        yield rect("", chip.box, 9)
        inset = 16 if live else 0
        if live:
            yield _mark(chip.box.x + 4, chip.box.y + 4, "unseen", 0.7)
            yield text("", chip.box.x + inset + 1, chip.box.y + 13, chip.label)
        else:
            yield text("", chip.box.x + chip.box.width // 2, chip.box.y + 13, chip.label, anchor="middle")
        yield f"<title>{escape(PRODUCT_LABELS.get(chip.product, chip.product))} ({escape(chip.unit)})</title></g>"
    for gate in card.gates:
        yield element(
            "g", ("id", marks.claim(f"gate-{card.host}-{gate.label.lower()}")),
            ("class", "gate" if gate.encrypted else "gate open"), ("data-flows", " ".join(gate.flows)), open_=True,
        )  # fmt: skip
        yield rect("", gate.box, 3)
        yield text("", gate.box.x + gate.box.width / 2, gate.box.y + 10, gate.label)
        yield f"<title>{escape('; '.join(gate.why))}</title></g>"
    yield "</g>"


def _stack(stack: Stack, marks: Marks, *, live: bool) -> Iterator[str]:
    interactive = (("tabindex", 0), ("role", "button"), ("aria-label", f"{len(stack.hosts)} hosts")) if live else ()
    yield element(
        "g", ("id", marks.claim(f"stack-{stack.name}")), ("class", "host stack unseen" if live else "host stack"),
        ("data-hosts", " ".join(stack.hosts)), ("data-roles", " ".join(stack.roles)), *interactive, open_=True,
    )  # fmt: skip
    for shift in (6, 3):
        yield rect(
            "deck",
            Box(x=stack.wall.x + shift, y=stack.wall.y + shift, width=stack.wall.width, height=stack.wall.height),
            5,
        )
    yield element("path", ("class", "wall"), ("d", wall(stack.wall)))
    yield rect("card", stack.box, 5)
    yield text("name", stack.box.x + PAD, stack.box.y + 21, stack.title)
    yield text(
        "note", stack.box.x + PAD, stack.box.y + 36, stack.note, ident=marks.claim(f"note-stack-{stack.name}")
    )
    if live:
        yield _mark(stack.box.right - 24, stack.box.y + 9, "unseen", 1.0)
    for pip in stack.pips:
        yield element(
            "g", ("id", marks.claim(f"host-{pip.host}")), ("class", "pip unseen" if live else "pip"),
            ("data-host", pip.host), ("data-roles", " ".join(stack.roles)), ("data-address", pip.address), open_=True,
        )  # fmt: skip
        yield f"{rect('', pip.box, 2)}<title>{escape(pip.host)}</title></g>"
    yield "</g>"


def _conversation(conversation: Conversation, marks: Marks, *, live: bool) -> Iterator[str]:
    flow = conversation.flow
    yield element(
        "g", ("id", marks.claim(f"flow-{flow.name}")), ("class", f"flow {_kind(flow)}"), ("data-flow", flow.name),
        ("data-source", flow.source), ("data-target", flow.target), ("data-why", flow.why),
        ("data-port", flow.port or flow.protocol), ("data-encryption", flow.encryption), ("data-product", flow.product),
        open_=True,
    )  # fmt: skip
    for edge in conversation.edges:
        yield element(
            "path", ("id", marks.claim(f"edge-{edge.name}")), ("class", f"edge {edge.strength}"), ("d", edge.path),
            ("data-from", " ".join(edge.sources)), ("data-to", " ".join(edge.targets)),
        )  # fmt: skip
        if edge.tip:
            yield element("path", ("class", f"tip {edge.strength}"), ("d", edge.tip))
        if not live and edge.strength == "main":
            yield element("path", ("class", "pulse"), ("d", edge.path))
    if conversation.badge:
        yield from _badge(conversation, conversation.badge, marks, live=live)
    yield "</g>"


def _badge(conversation: Conversation, box: Box, marks: Marks, *, live: bool) -> Iterator[str]:
    flow = conversation.flow
    interactive = (("tabindex", 0), ("role", "button"), ("aria-label", f"flow {flow.name}")) if live else ()
    yield element("g", ("class", "badge"), *interactive, open_=True)
    yield rect("", box, 10)
    lock = "open" if flow.encryption == "plain" else "closed"
    x = box.x + (9 if conversation.label else (box.width - 12) // 2)
    yield element(
        "use",
        ("class", "lock"),
        ("href", f"#bastide-lock-{lock}"),
        ("transform", f"translate({x} {box.y + 3}) scale(.95)"),
    )
    if conversation.label:
        yield text("", box.x + 24, box.y + 14, conversation.label)
    yield f"<title>{escape(flow.why)}</title></g>"
    if live:
        ident = marks.claim(f"rate-{flow.name}")
        yield text("rate", box.x + box.width / 2, box.bottom + 12, "", anchor="middle", ident=ident)


def _kind(flow: Flow) -> str:
    return "vrrp" if flow.protocol == "vrrp" else flow.encryption


def _virtual_ip(chit: Chit | None, marks: Marks) -> Iterator[str]:
    if chit is None:
        return
    yield element("g", ("id", marks.claim("vip")), ("class", "chit"), ("data-home", chit.host), open_=True)
    yield rect("", chit.box, 9)
    yield text("", chit.box.x + chit.box.width / 2, chit.box.y + 13.5, chit.label, anchor="middle")
    yield f"<title>{escape(chit.title)}</title></g>"


def _crown(chit: Chit | None, marks: Marks) -> Iterator[str]:
    if chit is None:
        return
    yield element("g", ("id", marks.claim("crown")), ("class", "chit"), ("data-home", chit.host), open_=True)
    yield element(
        "use",
        ("class", "crown"),
        ("href", "#bastide-crown"),
        ("transform", f"translate({chit.box.x} {chit.box.y})"),
    )
    yield f"<title>{escape(chit.title)}</title></g>"


def _mark(x: float, y: float, state: str, scale: float) -> str:
    return element(
        "use",
        ("class", "mark"),
        ("href", f"#bastide-mark-{state}"),
        ("transform", f"translate({x} {y}) scale({scale})"),
    )
