"""The picture's layout: complete, stable, without overlaps, whatever the mix of roles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.draw.model import Box, Picture
from bastide.draw.picture import derive_picture
from bastide.draw.sizes import CHIP_SIZE, NAME_SIZE, NOTE_SIZE, ROW_PITCH
from bastide.draw.svg import render_svg
from bastide.draw.text import measure
from bastide.spec.parts import ROLES
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

Layout = Mapping[str, Sequence[str]]
layouts = st.dictionaries(
    st.from_regex(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True),
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=6, unique=True),
    min_size=1,
    max_size=30,
)
TIERS = ("balancer", "web", "app", "database")


def picture_of(layout: Layout) -> Picture:
    return derive_picture(resolve_topology(make_spec(layout)))


def many(**counts: int) -> Layout:
    return {f"{role}{number}": [role] for role, count in counts.items() for number in range(1, count + 1)}


@settings(max_examples=50, deadline=None)
@given(layouts)
def test_every_host_is_drawn_once_nothing_overlaps_and_nothing_leaves_the_picture(layout: Layout) -> None:
    picture = picture_of(layout)
    drawn = [card.host for card in picture.cards] + [host for stack in picture.stacks for host in stack.hosts]
    assert sorted(drawn) == sorted(layout)
    boxes = list(picture.boxes())
    for (one, box), (other, second) in combinations(boxes, 2):
        assert not box.overlaps(second), (one, other)
    paper = Box(x=0, y=0, width=picture.width, height=picture.height)
    whole = [*(box for _, box in boxes), picture.cloud, *(column.box for column in picture.columns)]
    whole += [gate.box for card in picture.cards for gate in card.gates]
    assert all(paper.contains(box) for box in whole)
    assert not any(box.overlaps(picture.legend) for _, box in boxes)


@settings(max_examples=50, deadline=None)
@given(layouts)
def test_text_fits_and_chips_and_gates_do_not_cover_each_other(layout: Layout) -> None:
    for card in picture_of(layout).cards:
        assert measure(card.name, NAME_SIZE, bold=True) <= card.box.width
        assert measure(card.note, NOTE_SIZE) <= card.box.width
        for chip in card.chips:
            assert card.box.contains(chip.box), (card.host, chip.label)
            assert measure(chip.label, CHIP_SIZE) <= chip.box.width
        for one, other in combinations([c.box for c in card.chips], 2):
            assert not one.overlaps(other)
        for first, second in combinations([g.box for g in card.gates], 2):
            assert not first.overlaps(second)


@settings(max_examples=50, deadline=None)
@given(layouts, st.sampled_from(TIERS))
def test_another_host_of_one_tier_moves_nothing_of_another(layout: Layout, tier: str) -> None:
    # A tier that did not exist adds a column, which is another picture.
    if not any(tier in roles for roles in layout.values()) or "zz-new" in layout:
        return
    before, after = picture_of(layout), picture_of({**layout, "zz-new": [tier]})
    old, new = dict(before.boxes()), dict(after.boxes())
    in_strip = {card.host for card in before.cards if not set(card.roles) & set(TIERS)}
    single = [card for card in before.cards if set(card.roles) & set(TIERS) != {tier}]
    for card in single:
        if card.host in in_strip:
            # The strip stands below the longest column: it follows by whole rows, and sideways not at all.
            assert new[card.host].x == old[card.host].x
            assert (new[card.host].y - old[card.host].y) % ROW_PITCH == 0
        else:
            assert new[card.host] == old[card.host], card.host


def test_the_same_topology_gives_the_same_bytes() -> None:
    for live in (False, True):
        texts = {render_svg(picture_of(RESILIENT), theme="auto", live=live) for _ in range(3)}
        assert len(texts) == 1


@settings(max_examples=25, deadline=None)
@given(layouts, st.booleans())
def test_the_svg_is_xml_with_unique_ids_and_every_reference_leads_somewhere(layout: Layout, live: bool) -> None:
    text = render_svg(picture_of(layout), theme="auto", live=live)
    root = ElementTree.fromstring(text)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    wanted = {element.attrib["href"].removeprefix("#") for element in root.iter() if "href" in element.attrib}
    assert wanted <= set(ids)
    assert {
        f"host-{name}" for name in layout if not any(name != other and other.startswith(name) for other in layout)
    } <= set(ids)


def test_ids_are_as_promised() -> None:
    ids = set(re.findall(r' id="([^"]+)"', render_svg(picture_of(RESILIENT), theme="light", live=True)))
    assert {
        "host-web1", "svc-web1-nginx", "flow-balancer-web", "edge-lb1-web1", "edge-internet-lb1", "vip", "crown",
        "wall-web1", "gate-web1-8443", "gate-db1-3307", "edge-db1-db2", "traffic", "note-web1", "rate-balancer-web",
    } <= ids  # fmt: skip


def test_names_that_come_to_the_same_id_do_not_share_it() -> None:
    # edge-a-b-c could be a to b-c, or a-b to c.
    layout = {"a": ["balancer"], "a-b": ["balancer"], "b-c": ["web"], "c": ["web"]}
    ids = re.findall(r' id="([^"]+)"', render_svg(picture_of(layout), theme="light", live=False))
    assert len(ids) == len(set(ids))
    assert {"edge-a-b-c", "edge-a-b-c--2"} <= set(ids)


def test_a_hop_without_encryption_has_an_open_padlock() -> None:
    plain = derive_picture(resolve_topology(make_spec(WHITEBOARD, tls={"inside": "plain"})))
    by_name = {c.flow.name: c.label for c in plain.conversations}
    assert by_name["balancer-web"] == by_name["web-app"] == "plain"
    flow = (
        render_svg(plain, theme="light", live=False)
        .partition('id="flow-balancer-web"')[2]
        .partition("</g>\n</g>")[0]
    )
    assert "bastide-lock-open" in flow
    assert (
        "bastide-lock-open"
        not in render_svg(picture_of(RESILIENT), theme="light", live=False)
        .partition('id="flow-')[2]
        .partition('class="legend"')[0]
    )


def test_each_open_port_has_a_gate_that_says_why_and_no_other_has() -> None:
    cards = {card.host: card for card in picture_of(RESILIENT).cards}
    assert {gate.label for gate in cards["web1"].gates} == {"8443", "22"}
    assert {gate.label for gate in cards["lb1"].gates} == {"443", "80", "VRRP", "22"}
    gate = next(gate for gate in cards["web1"].gates if gate.label == "8443")
    assert "balancers pass requests to web servers" in gate.why
    # What only the host itself asks passes no wall.
    [alone] = picture_of(EVERYTHING_ON_ONE).cards
    assert not {"8443", "9443", "3307"} & {gate.label for gate in alone.gates}


def test_a_large_tier_folds_into_a_stack_that_still_shows_each_host() -> None:
    picture = picture_of({**many(balancer=2, web=30, app=20, database=5), "monitor1": ["monitor"]})
    stacks = {stack.name: stack for stack in picture.stacks}
    assert len(stacks["web"].hosts) == len(stacks["web"].pips) == 25
    assert stacks["web"].title == "25 more"
    assert all(stacks["web"].box.contains(pip.box) for pip in stacks["web"].pips)
    assert 'id="host-web30"' in render_svg(picture, theme="light", live=True)
    assert len(list(picture.boxes())) < 25


@pytest.mark.parametrize("count", [7, 60, 200, 900])
def test_pips_stay_in_their_stack_or_give_way_to_a_number(count: int) -> None:
    [stack] = picture_of({"lb1": ["balancer"], **many(web=count)}).stacks
    assert len(stack.pips) in (0, len(stack.hosts))
    assert all(stack.box.contains(pip.box) for pip in stack.pips)
    assert stack.title == f"{count - 5} more"


def test_a_host_of_several_tiers_spans_them() -> None:
    picture = picture_of(WHITEBOARD)
    server = next(card for card in picture.cards if card.host == "server1")
    assert server.box.x == next(c.box.x for c in picture.columns if c.zone == "web") + 18
    assert server.box.right == next(c.box.right for c in picture.columns if c.zone == "database") - 18
    assert {chip.product for chip in server.chips} == {"nginx", "app", "sqlproxy", "mariadb", "keeper"}


def test_motion_is_for_those_who_want_it() -> None:
    still = render_svg(picture_of(RESILIENT), theme="auto", live=False)
    assert "prefers-reduced-motion:reduce" in still
    assert "prefers-color-scheme:dark" in still
    assert "prefers-color-scheme" not in render_svg(picture_of(RESILIENT), theme="dark", live=False)
