"""The picture without places: groups of nodes and the links between them, for forms that place things themselves.

In: a picture. Out: `Outline`. Holds: every card and stack is one node in one group; a link stands for all
conversations that lead from one node to another, so nothing is said twice; the order is that of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bastide.draw.cards import EVERYWHERE, LABELS
from bastide.draw.grid import TIERS
from bastide.draw.model import Card, Picture
from bastide.topology.model import Flow

HEADINGS = {"balancer": "Balancers", "web": "Web servers", "app": "Application", "database": "Database"}
MONITORING = "Monitoring"
INTERNET = "internet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A host, or a stack of them."""

    name: str
    """Unique: the host's name, or `web-more`."""
    title: str
    note: str
    services: tuple[str, ...]
    ports: tuple[str, ...]
    """Gates in its wall."""
    hosts: tuple[str, ...]
    primary: bool
    virtual_ip: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Nodes of the same tiers."""

    name: str
    heading: str
    tiers: tuple[str, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Conversations from one group to another (each of its nodes with each), or between two nodes of one group."""

    source: str
    """A group's name, `internet`, or, within a group, a node's name."""
    target: str
    flows: tuple[Flow, ...]

    @property
    def plain(self) -> bool:
        """Whether any of it can be read by whoever listens."""
        return any(flow.encryption == "plain" and flow.protocol != "vrrp" for flow in self.flows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """All of it."""

    name: str
    domain: str
    groups: tuple[Group, ...]
    links: tuple[Link, ...]


def derive_outline(picture: Picture) -> Outline:
    """Groups in the direction of a request, monitoring last."""
    groups = tuple(_groups(picture))
    return Outline(name=picture.name, domain=picture.domain, groups=groups, links=_links(picture, groups))


def _groups(picture: Picture) -> Iterator[Group]:
    found: dict[tuple[str, ...], list[Node]] = {}
    for card in picture.cards:
        found.setdefault(_tiers(card.roles), []).append(_node(picture, card))
    for stack in picture.stacks:
        node = Node(
            name=f"{stack.name}-more",
            title=stack.title,
            note=stack.note,
            services=(),
            ports=(),
            hosts=stack.hosts,
            primary=False,
            virtual_ip="",
        )
        found.setdefault(_tiers(stack.roles), []).append(node)
    order: dict[str, int] = {tier: index for index, tier in enumerate(TIERS)}
    for tiers in sorted(found, key=lambda some: [order[tier] for tier in some] or [len(order)]):
        heading = " + ".join(HEADINGS[tier] for tier in tiers) or MONITORING
        name = "-".join(tiers) or "monitoring"
        yield Group(name=f"tier-{name}", heading=heading, tiers=tiers, nodes=tuple(found[tiers]))


def _tiers(roles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(tier for tier in TIERS if tier in roles)


def _node(picture: Picture, card: Card) -> Node:
    shown = [chip.product for chip in card.chips]
    names = [*shown, *(product for product in card.hidden if product not in EVERYWHERE)]
    vip, crown = picture.virtual_ip, picture.crown
    return Node(
        name=card.host,
        title=card.host,
        note=card.address,
        services=tuple(LABELS.get(name, name) for name in names),
        ports=tuple(gate.label for gate in card.gates),
        hosts=(card.host,),
        primary=crown is not None and crown.host == card.host,
        virtual_ip=vip.label if vip is not None and vip.host == card.host else "",
    )


def _links(picture: Picture, groups: tuple[Group, ...]) -> tuple[Link, ...]:
    node_of = {host: node.name for group in groups for node in group.nodes for host in node.hosts}
    group_of = {node.name: group.name for group in groups for node in group.nodes}
    merged: dict[tuple[str, str], list[Flow]] = {}
    for conversation in picture.conversations:
        for edge in conversation.edges:
            # None: all of the internet.
            for source in dict.fromkeys(node_of[host] for host in edge.sources) or {INTERNET: None}:
                for target in dict.fromkeys(node_of[host] for host in edge.targets):
                    pair = (group_of.get(source, INTERNET), group_of[target])
                    if pair[0] == pair[1]:
                        pair = (source, target)
                    if pair[0] == pair[1]:
                        continue
                    flows = merged.setdefault(pair, [])
                    if conversation.flow not in flows:
                        flows.append(conversation.flow)
    return tuple(
        Link(source=source, target=target, flows=tuple(flows)) for (source, target), flows in merged.items()
    )
