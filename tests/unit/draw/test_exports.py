"""PNG, Mermaid, draw.io and terminal: whole, stable, legible, with the open padlock where anybody may read."""

from __future__ import annotations

import re
import struct
import sys
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Mapping, Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.draw.drawio import render_drawio
from bastide.draw.flat import flatten_svg
from bastide.draw.mermaid import render_mermaid
from bastide.draw.model import Picture
from bastide.draw.picture import derive_picture
from bastide.draw.png import PngUnavailable, render_png
from bastide.draw.style import colours_of
from bastide.draw.svg import render_svg
from bastide.draw.terminal import render_terminal
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

TOWN: Mapping[str, Sequence[str]] = {
    **{f"lb{n}": ["balancer"] for n in (1, 2)},
    **{f"web{n}": ["web"] for n in range(1, 21)},
    **{f"app{n}": ["app"] for n in range(1, 31)},
    **{f"db{n}": ["database"] for n in range(1, 6)},
    **{f"mon{n}": ["monitor"] for n in (1, 2)},
    "vote1": ["witness"],
}
LAYOUTS = {"resilient": RESILIENT, "whiteboard": WHITEBOARD, "one": EVERYTHING_ON_ONE, "town": TOWN}


def picture(name: str) -> Picture:
    return of(LAYOUTS[name], inside="plain" if name == "whiteboard" else "mtls")


def of(layout: Mapping[str, Sequence[str]], inside: str = "mtls") -> Picture:
    return derive_picture(resolve_topology(make_spec(layout, tls={"inside": inside})))


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and unfiltered RGBA rows, by the format's own rules."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data, width, height = 8, b"", 0, 0
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert (depth, colour) == (8, 6)
        elif kind == b"IDAT":
            data += body
        at += size + 12
    raw, stride, rows, before = zlib.decompress(data), width * 4, [], bytearray(width * 4)
    for y in range(height):
        form, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left, up, corner = (row[x - 4] if x > 3 else 0), before[x], (before[x - 4] if x > 3 else 0)
            guess = left + up - corner
            near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            row[x] = (row[x] + (0, left, up, (left + up) // 2, near)[form]) & 255
        rows.append(bytes(row))
        before = row
    return width, height, rows


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_png_has_the_themes_paper_its_text_and_the_red_of_plain_hops(theme: Literal["light", "dark"]) -> None:
    drawn = picture("whiteboard")
    width, height, rows = pixels(render_png(drawn, theme=theme, scale=1.0))
    assert (width, height) == (drawn.width, drawn.height)
    colours = colours_of(theme)
    seen = {row[x : x + 3].hex() for row in rows for x in range(0, len(row), 4)}
    assert {colours[name].lstrip("#") for name in ("paper", "card", "brick", "plain", "tls", "crown")} <= seen
    # Text is drawn: without its font it would vanish in silence. The name of a host is in the ink's colour.
    card = next(card for card in drawn.cards if card.host == "server1")
    ink = bytes.fromhex(colours["ink"].lstrip("#"))
    name = [row[4 * card.box.x : 4 * (card.box.x + 80)] for row in rows[card.box.y + 8 : card.box.y + 24]]
    assert any(row[x : x + 3] == ink for row in name for x in range(0, len(row), 4))
    assert colours_of("dark" if theme == "light" else "light")["paper"].lstrip("#") not in seen


def test_a_png_is_the_same_each_time_and_grows_with_its_scale() -> None:
    drawn = picture("resilient")
    small, again, large = (render_png(drawn, theme="light", scale=scale) for scale in (1.0, 1.0, 2.0))
    assert small == again
    assert struct.unpack(">II", large[16:24]) == (2 * drawn.width, 2 * drawn.height)


def test_without_the_converter_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(PngUnavailable) as caught:
        render_png(picture("one"), theme="light")
    assert "bastide[png]" in caught.value.hint


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_flat_picture_knows_no_variables_and_does_not_move(name: str, theme: Literal["light", "dark"]) -> None:
    flat = flatten_svg(render_svg(picture(name), theme=theme, live=False), theme)
    assert "var(" not in flat and "@" not in flat and "animation" not in flat and "--b-" not in flat
    ET.fromstring(flat)


@pytest.mark.parametrize("name", LAYOUTS)
def test_mermaid_names_every_host_or_its_stack_and_every_link_leads_somewhere(name: str) -> None:
    text = render_mermaid(picture(name), theme="light")
    nodes = set(re.findall(r"^ +(?:subgraph )?(\w+)[\[(]", text, re.MULTILINE))
    links = re.findall(r"^  (\w+) (?:-->|-\.->)\|\"[^\"]*\"\| (\w+)$", text, re.MULTILINE)
    assert links and {end for link in links for end in link} <= nodes
    assert len(links) == len(set(links))
    for host in LAYOUTS[name]:
        assert f"n_{host}" in nodes or (name == "town" and "15 more" in text and "25 more" in text)
    assert text.count("subgraph") == len(re.findall(r"^  end$", text, re.MULTILINE))


def test_mermaid_has_an_open_padlock_and_red_lines_only_where_anybody_may_read() -> None:
    plain, encrypted = (render_mermaid(picture(name), theme="dark") for name in ("whiteboard", "resilient"))
    assert "\N{OPEN LOCK} plain 8080" in plain and "linkStyle" in plain
    assert "\N{OPEN LOCK}" not in encrypted and "linkStyle" not in encrypted


@pytest.mark.parametrize("name", LAYOUTS)
def test_drawio_is_a_graph_whose_connectors_have_both_ends(name: str) -> None:
    drawn = picture(name)
    root = ET.fromstring(render_drawio(drawn, theme="light"))
    cells = {cell.get("id"): cell for cell in root.iter("mxCell")}
    assert len(cells) == len(list(root.iter("mxCell"))), "an id is given twice"
    assert {f"host-{card.host}" for card in drawn.cards} <= set(cells)
    assert all(cell.get("parent") in cells for ident, cell in cells.items() if ident != "0")
    for cell in cells.values():
        if cell.get("edge"):
            placed = {point.get("as") for point in cell.iter("mxPoint")}
            shapes = {cell.get("source"), cell.get("target")}
            assert (None not in shapes and shapes <= set(cells)) or {"sourcePoint", "targetPoint"} <= placed
        if cell.get("vertex"):
            geometry = cell.find("mxGeometry")
            assert geometry is not None and float(geometry.get("width", "0")) > 0


def test_drawio_places_hosts_where_the_picture_has_them() -> None:
    drawn = picture("resilient")
    root = ET.fromstring(render_drawio(drawn, theme="dark"))
    for card in drawn.cards:
        geometry = root.find(f".//mxCell[@id='host-{card.host}']/mxGeometry")
        assert geometry is not None
        assert (geometry.get("x"), geometry.get("y")) == (str(card.box.x), str(card.box.y))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_terminal_shows_every_host_within_its_width(name: str, width: int) -> None:
    lines = ["".join(span.text for span in line) for line in render_terminal(picture(name), width)]
    assert max(len(line.rstrip()) for line in lines) <= max(width, 40)
    text = "\n".join(lines)
    drawn = picture(name)
    assert all(re.search(rf"┃ {card.host}\b", text) for card in drawn.cards)
    assert text.count("┏") == text.count("┗") == len(drawn.cards) + len(drawn.stacks)
    assert ("PLAIN 8080" in text) == (name == "whiteboard")


@settings(max_examples=25, deadline=None)
@given(
    counts=st.tuples(*(st.integers(1, 9) for _ in range(4))),
    tier=st.sampled_from(["balancer", "web", "app", "database"]),
)
def test_another_host_of_one_tier_moves_no_shape_of_another(counts: tuple[int, ...], tier: str) -> None:
    """Of what a user may have arranged by hand in draw.io, too: ids and places stay."""
    tiers = ("balancer", "web", "app", "database")
    layout = {f"{t}{n}": [t] for t, count in zip(tiers, counts, strict=True) for n in range(1, count + 1)}
    more = {**layout, f"{tier}{counts[tiers.index(tier)] + 1}": [tier]}
    before, after = (_shapes(of(some)) for some in (layout, more))
    others = {ident: place for ident, place in before.items() if not re.search(rf"-{tier}\d*(-|$)", ident)}
    assert others and all(after.get(ident) == place for ident, place in others.items())


def _shapes(drawn: Picture) -> dict[str, tuple[str, ...]]:
    root = ET.fromstring(render_drawio(drawn, theme="light"))
    found: dict[str, tuple[str, ...]] = {}
    for cell in root.iter("mxCell"):
        geometry, ident = cell.find("mxGeometry"), str(cell.get("id"))
        if cell.get("vertex") and geometry is not None and ident.startswith(("host-", "svc-", "stack-")):
            found[ident] = tuple(str(geometry.get(key)) for key in ("x", "y", "width", "height"))
    return found
