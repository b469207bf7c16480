"""One host as a card: its services as chips, its wall, and a gate for each port that a peer may reach.

In: topology, a host, where it stands. Out: `Card` or `Stack`.
Holds: no text is wider than what holds it; what has no room is named in `hidden`, never lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bastide.draw.grid import STRIP, Unit
from bastide.draw.model import Box, Card, Chip, Gate, Pip, Stack
from bastide.draw.sizes import (
    ANCHOR,
    CARD_HEIGHT,
    CARD_WIDTH,
    CHIP_GAP,
    CHIP_HEIGHT,
    CHIP_PITCH,
    CHIP_SIZE,
    CHIPS_TOP,
    GATE_GAP,
    GATE_HEIGHT,
    GATE_REACH,
    GATE_SIZE,
    NAME_SIZE,
    NOTE_SIZE,
    PAD,
    WALL,
)
from bastide.draw.text import fit, measure
from bastide.topology.model import Flow, Host, Service, Topology, Zone

_BY_ROLE: Mapping[str, tuple[str, ...]] = {
    "balancer": ("haproxy", "keepalived"),
    "web": ("nginx",),
    "app": ("app", "nginx", "sqlproxy"),
    "database": ("mariadb", "keeper", "sqlproxy", "etcd"),
    "monitor": ("hub", "prometheus", "alertmanager", "nginx", "etcd", "blackbox"),
    "witness": ("etcd",),
}
EVERYWHERE = frozenset(
    {"nftables", "sshd", "system", "node_exporter", "mysqld_exporter", "vmagent", "agent"},
)
"""On every host of its kind; drawing them would say nothing. The wall itself stands for nftables."""
LABELS: Mapping[str, str] = {
    "haproxy": "HAProxy",
    "mariadb": "MariaDB",
    "sqlproxy": "SQL proxy",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
}
_LINES = 2
_MARK = 20
"""A chip's padding, and the mark of its health."""
_PIPS = ((10, 12), (7, 9), (5, 6))
"""Sides of pips with their pitch, the largest that fits is taken."""


def draw_card(topology: Topology, host: Host, box: Box, slots: Mapping[Zone, Box], main: Flow | None) -> Card:
    """A host's card. `slots`: the part of each of its roles; `main`: the flow whose edges end at its left side."""
    chips, hidden = _chips(topology.services_of(host.name), slots)
    extra = [role for role in host.roles if role not in slots or role in STRIP]
    note = " · ".join((*extra, str(host.private))) if len(slots) <= 1 else " · ".join((str(host.private), *extra))
    # The mark of its health stands left of the name.
    return Card(
        host=host.name,
        name=fit(host.name, NAME_SIZE, box.width - 2 * PAD - 22, bold=True),
        note=fit(note, NOTE_SIZE, box.width - 2 * PAD),
        address=str(host.private),
        roles=tuple(host.roles),
        box=box,
        wall=box.grown(WALL),
        chips=chips,
        hidden=hidden,
        gates=tuple(_gates(_incoming(topology, host), box, main)),
    )


def draw_stack(unit: Unit, box: Box) -> Stack:
    """Many hosts of one kind."""
    hosts = unit.hosts
    width = box.width - 2 * PAD
    name = "-".join(unit.columns) or "strip"
    return Stack(
        name=name,
        title=fit(f"{len(hosts)} more", NAME_SIZE, width, bold=True),
        note=fit(f"{hosts[0].name} … {hosts[-1].name}", NOTE_SIZE, width),
        roles=tuple(dict.fromkeys(role for host in hosts for role in host.roles)),
        hosts=tuple(host.name for host in hosts),
        box=box,
        wall=box.grown(WALL),
        pips=_pips(hosts, box),
    )


def _pips(hosts: Sequence[Host], box: Box) -> tuple[Pip, ...]:
    width, height = box.width - 2 * PAD, box.height - CHIPS_TOP - 4
    for side, pitch in _PIPS:
        across = (width + pitch - side) // pitch
        if across * ((height + pitch - side) // pitch) >= len(hosts):
            return tuple(
                Pip(
                    host=host.name,
                    address=str(host.private),
                    box=Box(
                        x=box.x + PAD + index % across * pitch,
                        y=box.y + CHIPS_TOP + index // across * pitch,
                        width=side,
                        height=side,
                    ),
                )
                for index, host in enumerate(hosts)
            )
    return ()


def _chips(services: Sequence[Service], slots: Mapping[Zone, Box]) -> tuple[tuple[Chip, ...], tuple[str, ...]]:
    """Each service once, in the slot of the first role that wants it; the others in the first slot."""
    left = {service.product: service for service in services}
    hidden = [product for product in left if product in EVERYWHERE]
    for product in hidden:
        del left[product]
    chips: list[Chip] = []
    wanted: list[tuple[Box, list[Service]]] = [
        (slot, [left.pop(product) for product in _BY_ROLE.get(role, ()) if product in left])
        for role, slot in slots.items()
    ]
    if wanted:
        wanted[0][1].extend(left.values())
    for slot, some in wanted:
        x, line = slot.x, 0
        for service in some:
            label = fit(LABELS.get(service.product, service.product), CHIP_SIZE, slot.width - _MARK)
            width = int(measure(label, CHIP_SIZE)) + 1 + _MARK
            if x > slot.x and x + width > slot.right:
                x, line = slot.x, line + 1
            if line >= _LINES:
                hidden.append(service.product)
                continue
            y = slot.y + CHIPS_TOP + line * CHIP_PITCH
            box = Box(x=x, y=y, width=width, height=CHIP_HEIGHT)
            chips.append(Chip(product=service.product, unit=service.unit, label=label, box=box))
            x += width + CHIP_GAP
    return tuple(chips), tuple(hidden)


def _incoming(topology: Topology, host: Host) -> dict[str, list[Flow]]:
    """Flows that somebody else may begin with this host, by port."""
    found: dict[str, list[Flow]] = {}
    for flow in topology.flows:
        if flow.target != "any" and not host.stands_in(flow.target):
            continue
        inside = topology.tier(flow.source)
        if flow.source in ("internet", "admin") or any(peer.name != host.name for peer in inside):
            label = flow.protocol.upper() if flow.port is None else str(flow.port)
            found.setdefault(label, []).append(flow)
    return found


def _gates(incoming: Mapping[str, Sequence[Flow]], box: Box, main: Flow | None) -> Iterator[Gate]:
    rest = dict(incoming)
    first = None if main is None else str(main.port)
    if first in rest:
        width = GATE_REACH + WALL + 4
        flows = rest.pop(first)
        yield _gate(first, flows, box.x + 4 - width, box.y + ANCHOR, max(width, _gate_width(first)))
    wall = box.grown(WALL)
    lower, upper = wall.x + PAD, wall.right - PAD
    bottom, top = box.bottom + WALL // 2, box.y - WALL // 2
    for label in list(rest):
        width = _gate_width(label)
        if lower + width <= wall.right - PAD:
            yield _gate(label, rest.pop(label), lower, bottom, width)
            lower += width + GATE_GAP
    # What does not fit below stands above, from the right: the crown is at the left.
    for label in list(rest):
        width = _gate_width(label)
        if upper - width >= wall.x + 48:
            upper -= width
            yield _gate(label, rest.pop(label), upper, top, width)
            upper -= GATE_GAP


def _gate_width(label: str) -> int:
    return int(measure(label, GATE_SIZE)) + 9


def _gate(label: str, flows: Sequence[Flow], x: int, y: int, width: int) -> Gate:
    return Gate(
        label=label,
        flows=tuple(flow.name for flow in flows),
        why=tuple(dict.fromkeys(flow.why for flow in flows)),
        box=Box(x=x, y=y - GATE_HEIGHT // 2, width=width, height=GATE_HEIGHT),
        encrypted=all(flow.encryption != "plain" for flow in flows),
    )


def derive_slots(unit: Unit, x_of: Mapping[Zone, int], y: int) -> Mapping[Zone, Box]:
    """The part of a card that belongs to each tier which its host has."""
    roles = unit.hosts[0].roles
    return {
        tier: Box(x=x_of[tier] + PAD, y=y, width=CARD_WIDTH - 2 * PAD, height=CARD_HEIGHT)
        for tier in unit.columns
        if tier in roles
    }
