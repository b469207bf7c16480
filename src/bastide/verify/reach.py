"""Who can knock where: every address of every host, and from which hosts there is a way to it.

In: a Scene. Out: `Reach`. Holds: two machines can knock at each other when they share a network, by IPv4 and by
IPv6 alike; link-local addresses count, since they are how a neighbour gets past a wall that forgot IPv6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bastide.verify.asking import AskFailed
from bastide.verify.scene import CLIENT, Scene


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """One address, as one other machine may knock at it."""

    source: str
    target: str
    address: str
    """Without `%interface`."""
    knock_at: str
    """With the source's interface where the address needs it."""

    full: bool = True
    """Whether all ports are knocked at. A network that no flow uses is swept in full by one neighbour of each host
    (its rules name no peers, so all are alike to it), and by the others at the ports that matter."""

    @property
    def family(self) -> str:
        return "ipv6" if ":" in self.address else "ipv4"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """All addresses, and all pairs."""

    addresses: Mapping[str, tuple[Mapping[str, Any], ...]]
    """By host, the client among them."""
    silent: Mapping[str, AskFailed]
    doors: tuple[Door, ...]


def survey(scene: Scene) -> Reach:
    """Ask every machine for its addresses."""
    names = [*scene.topology.hosts, *([CLIENT] if scene.client else [])]
    answers = scene.each(names, lambda name: scene.ask(name, "addresses"))
    silent = {name: said for name, said in answers.items() if isinstance(said, AskFailed)}
    known = {name: tuple(said) for name, said in answers.items() if not isinstance(said, AskFailed)}
    return Reach(addresses=known, silent=silent, doors=tuple(_doors(known, scene)))


def _doors(known: Mapping[str, tuple[Mapping[str, Any], ...]], scene: Scene) -> list[Door]:
    # In a lab an interface is a network, and its name says which; of servers only private addresses are sure to meet.
    doors: list[Door] = []
    swept: set[tuple[str, str]] = set()
    for source, own in known.items():
        for target, theirs in known.items():
            if source == target or target == CLIENT:
                continue
            for entry in theirs:
                meeting = [a for a in own if a["family"] == entry["family"] and _meet(a, entry, scene.lab)]
                if meeting:
                    used = entry["scope"] != "link" or entry["family"] == "inet"
                    full = used or (target, entry["address"]) not in swept
                    swept.add((target, entry["address"]))
                    scope = f"%{meeting[0]['interface']}" if entry["scope"] == "link" else ""
                    doors.append(
                        Door(
                            source=source,
                            target=target,
                            address=entry["address"],
                            knock_at=entry["address"] + scope,
                            full=full,
                        )
                    )
    return doors


def _meet(own: Mapping[str, Any], theirs: Mapping[str, Any], lab: bool) -> bool:
    if lab:
        return bool(own["interface"] == theirs["interface"])
    return bool(own["scope"] == "global" and theirs["scope"] == "global")
