"""Conversations as lines: who asks whom, and how it is protected.

In: topology, where each tier's hosts stand. Out: `Conversation`s with SVG paths.
Holds: between two tiers the best protected flow is drawn once for each pair; the others have gates, and stand in the
panels of their hosts. `flow-<name>` and `edge-<source>-<target>` stay the same as long as those hosts do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bastide.draw.heads import arc, bus, curve, head
from bastide.draw.model import Box, Column, Conversation, Edge
from bastide.draw.sizes import BADGE_SIZE, GAP, GATE_REACH, HEADING_Y
from bastide.draw.text import measure
from bastide.topology.model import Flow, Topology, Zone

_RANK = {"plain": 0, "ssh": 1, "tls": 1, "mtls": 2}
LABELS: Mapping[str, str] = {"plain": "plain", "tls": "HTTPS", "mtls": "mTLS", "ssh": "SSH"}
_MANY = 9
_BEHIND = 26


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where edges of one tier meet one unit."""

    tier: Zone
    name: str
    hosts: tuple[str, ...]
    left: int
    right: int
    anchor: int
    top: int
    bottom: int
    gated: bool
    stack: bool


def main_flow(topology: Topology, tier: Zone) -> Flow | None:
    """The flow by which requests reach a tier."""
    sources: Mapping[Zone, Zone] = {"balancer": "internet", "web": "balancer", "app": "web", "database": "app"}
    between = [f for f in topology.flows if f.target == tier and f.source == sources.get(tier) and f.port]
    return max(between, key=lambda flow: _RANK[flow.encryption], default=None)


def draw_conversations(
    topology: Topology, places: Sequence[Place], columns: Sequence[Column], cloud: Box, strip: Box | None
) -> tuple[Conversation, ...]:
    """Outside first, in the direction of a request."""
    return (
        *_from_outside(topology, places, columns, cloud),
        *_between_tiers(topology, places, columns),
        *_balancer_pair(topology, places),
        *_replication(topology, places),
        *_to_monitors(topology, columns, strip),
    )


def _from_outside(
    topology: Topology, places: Sequence[Place], columns: Sequence[Column], cloud: Box
) -> Iterator[Conversation]:
    flow = main_flow(topology, "balancer")
    targets = [place for place in places if place.tier == "balancer"]
    if flow is None or not targets:
        return
    start = (cloud.right - 4, cloud.middle)
    yield Conversation(
        flow=flow,
        edges=tuple(
            Edge(
                name=f"internet-{place.name}",
                sources=(),
                targets=place.hosts,
                path=curve(*start, _entry(place), place.anchor),
                # One of them holds the virtual address; the others wait.
                strength="standby" if index and topology.virtual_ip else "main",
                tip=head(_entry(place) + 1, place.anchor, "right"),
            )
            for index, place in enumerate(targets)
        ),
        badge=_badge(LABELS[flow.encryption], (cloud.x + 50 + columns[0].box.x) // 2 - 22, HEADING_Y - 4),
        label=LABELS[flow.encryption],
    )


def _between_tiers(
    topology: Topology, places: Sequence[Place], columns: Sequence[Column]
) -> Iterator[Conversation]:
    for before, after in pairwise(columns):
        flow = main_flow(topology, after.zone)
        if flow is None or flow.source != before.zone:
            continue
        sources = [place for place in places if place.tier == before.zone]
        targets = [place for place in places if place.tier == after.zone]
        many = len(sources) * len(targets) > _MANY
        yield Conversation(
            flow=flow,
            edges=tuple(
                Edge(
                    name=f"{source.name}-{target.name}",
                    sources=source.hosts,
                    targets=target.hosts,
                    path=_way(source, target, many=many),
                    strength="faint" if many else "main",
                    tip=head(_entry(target) + 1, target.anchor, "right"),
                )
                for source in sources
                for target in targets
            ),
            badge=_badge(LABELS[flow.encryption], (before.box.right + after.box.x) // 2, HEADING_Y - 4),
            label=LABELS[flow.encryption],
        )


def _way(source: Place, target: Place, *, many: bool) -> str:
    ends = (source.right, source.anchor, _entry(target), target.anchor)
    return bus(*ends, middle=source.right + GAP * 2 // 5) if many else curve(*ends)


def _balancer_pair(topology: Topology, places: Sequence[Place]) -> Iterator[Conversation]:
    pair = [place for place in places if place.tier == "balancer"]
    if len(pair) < 2 or not topology.has_flow("balancer-vrrp"):
        return
    yield Conversation(
        flow=topology.flow("balancer-vrrp"),
        edges=tuple(
            Edge(
                name=f"{one.name}-{other.name}",
                sources=one.hosts,
                targets=other.hosts,
                path=f"M{one.left + 135} {one.bottom}V{other.top}",
                strength="standby",
                tip="",
            )
            for one, other in pairwise(pair)
            if one.bottom < other.top
        ),
        badge=None,
        label="VRRP",
    )


def _replication(topology: Topology, places: Sequence[Place]) -> Iterator[Conversation]:
    members = [place for place in places if place.tier == "database"]
    if len(members) < 2 or not topology.has_flow("database-replication"):
        return
    flow = topology.flow("database-replication")
    first = members[0]
    edges = tuple(
        Edge(
            name=f"{first.name}-{other.name}",
            sources=first.hosts,
            targets=other.hosts,
            path=arc(
                first.right, first.anchor, other.right + 3, other.anchor, max(first.right, other.right) + _BEHIND
            ),
            strength="main",
            tip=head(other.right + 1, other.anchor, "left"),
        )
        for other in members[1:]
    )
    middle = (first.anchor + members[1].anchor) // 2
    reach = max(first.right, members[1].right) + _BEHIND * 3 // 4
    badge = Box(x=reach - 10, y=middle - 10, width=20, height=20)
    yield Conversation(flow=flow, edges=edges, badge=badge, label="")


def _to_monitors(topology: Topology, columns: Sequence[Column], strip: Box | None) -> Iterator[Conversation]:
    if strip is None or not columns or not topology.has_flow("host-monitor"):
        return
    flow = topology.flow("host-monitor")
    label = f"{LABELS[flow.encryption]} · {flow.why}"
    centre = (columns[0].box.x + columns[-1].box.right) // 2 if len(columns) > 1 else strip.x + strip.width // 2
    yield Conversation(
        flow=flow,
        edges=tuple(
            Edge(
                name=f"{column.zone}-monitors",
                sources=tuple(host.name for host in topology.tier(column.zone)),
                targets=tuple(host.name for host in topology.tier("monitor")),
                path=f"M{column.box.x + column.box.width // 2} {column.box.bottom + 2}V{strip.y - 3}",
                strength="standby",
                tip=head(column.box.x + column.box.width // 2, strip.y - 1, "down"),
            )
            for column in columns
        ),
        badge=_badge(label, centre, (columns[0].box.bottom + strip.y) // 2),
        label=label,
    )


def _entry(place: Place) -> int:
    return place.left - GATE_REACH if place.gated else place.left - 2


def _badge(label: str, centre: int, middle: int) -> Box:
    width = int(measure(label, BADGE_SIZE, bold=True)) + 30
    return Box(x=centre - width // 2, y=middle - 10, width=width, height=20)
