"""What stops the service: the minimal sets of hosts, and of services, whose loss stops reads or writes.

In: a Topology. Out: `predict` for one loss, `cut_sets` for all of them. Holds: exact for the request path of
`paths.py`; sets of order 1 are the single points of failure. A thousand hosts take seconds: a tier of many members
ends the search as soon as the order cannot reach them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bastide.policy.paths import RequestPath, Stage, derive_request_path
from bastide.policy.structure import All, AnyOf, AtLeast, Cut, Need, Part, minimal_cuts, works
from bastide.topology.model import Topology

Service = Literal["reads", "writes"]
KINDS: tuple[Service, Service] = ("reads", "writes")


class UnknownPart(Exception):
    """A loss of something that the infrastructure does not have. `names` holds all of them."""

    hint = "a part is a host such as web1, or a service on a host such as web1/nginx"

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(f"there is no {', '.join(names)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """What a loss means for clients."""

    reads: bool
    """Reads stop."""
    writes: bool
    """Writes stop."""
    why: str
    """In words, without a final stop; when nothing stops, what takes over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutSet:
    """Parts whose loss together stops something, and without any one of which it would not."""

    elements: tuple[str, ...]
    """Names of hosts (`web1`), or of services (`web1/nginx`), in spec order."""
    kind: Literal["hosts", "services"]
    stops: tuple[Service, ...]
    """Of what this is a minimal cut. A pair that stops reads may hold one that alone stops writes."""
    why: str

    @property
    def order(self) -> int:
        """How many must be lost at once."""
        return len(self.elements)


def predict(topology: Topology, lost: Iterable[str], *, primary: str | None = None) -> Loss:
    """What stops when these hosts and services are lost at once, and stay lost. Raises UnknownPart.

    A service that no request passes through, such as an exporter, stops nothing.
    """
    gone = frozenset(lost)
    known = {*topology.hosts, *(f"{s.host}/{s.product}" for s in topology.services)}
    if gone - known:
        raise UnknownPart(tuple(sorted(gone - known)))
    path = derive_request_path(topology, primary=primary)
    broken = [stage for stage in path.stages if not works(stage.need, gone)]
    reads, writes = (any(kind in stage.stops for stage in broken) for kind in KINDS)
    return Loss(reads=reads, writes=writes, why=_why(path, broken, gone))


def cut_sets(topology: Topology, order: int = 2, *, primary: str | None = None) -> tuple[CutSet, ...]:
    """Every minimal cut of up to `order` hosts, then of up to `order` services; smallest first, in spec order."""
    path = derive_request_path(topology, primary=primary)
    found: list[CutSet] = []
    for kind in ("hosts", "services"):
        stops: dict[Cut, list[Service]] = {}
        for service in KINDS:
            for cut in minimal_cuts(_only(path.need(service), kind), order):
                stops.setdefault(cut, []).append(service)
        place = {name: index for index, name in enumerate(_names(topology, kind))}
        for cut in sorted(stops, key=lambda c: (len(c), sorted(place[name] for name in c))):
            broken = [stage for stage in path.stages if not works(stage.need, cut)]
            found.append(
                CutSet(
                    elements=tuple(sorted(cut, key=place.__getitem__)),
                    kind=kind,
                    stops=tuple(stops[cut]),
                    why=_why(path, broken, cut),
                )
            )
    return tuple(found)


def _only(need: Need, kind: Literal["hosts", "services"]) -> Need:
    """The same graph over hosts alone or services alone: the other parts are taken to be well."""
    match need:
        case Part(name):
            return need if ("/" in name) == (kind == "services") else All(())
        case All(needs):
            return All(tuple(_only(each, kind) for each in needs))
        case AnyOf(needs):
            return AnyOf(tuple(_only(each, kind) for each in needs))
        case AtLeast(count, needs):
            return AtLeast(count, tuple(_only(each, kind) for each in needs))


def _names(topology: Topology, kind: Literal["hosts", "services"]) -> tuple[str, ...]:
    if kind == "hosts":
        return tuple(topology.hosts)
    return tuple(f"{s.host}/{s.product}" for s in topology.services)


def _why(path: RequestPath, broken: list[Stage], gone: Cut) -> str:
    if broken:
        return "; ".join(stage.lost for stage in broken)
    hosts = {name.split("/")[0] for name in gone}
    touched = [stage for stage in path.stages if hosts & set(stage.members)]
    if not touched:
        return "no request passes through it"
    rest = [
        f"{stage.role} goes on with {', '.join(left) if len(left) <= 3 else f'{len(left)} hosts'}"
        for stage in touched
        if (left := [m for m in stage.members if m not in hosts])
    ]
    return "; ".join(dict.fromkeys(rest)) or "it is not needed"
