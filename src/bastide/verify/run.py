"""The registry of families, and running them.

In: Scene. Out: checks, as they come. Holds: a family that cannot be tested says so; it never counts as passed. Families
go side by side where none of them sees what another does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, untested
from bastide.verify.database import check_database
from bastide.verify.edge import check_edge
from bastide.verify.hosts import check_hosts
from bastide.verify.redundancy import check_monitoring, check_redundancy
from bastide.verify.scene import Scene
from bastide.verify.tls import check_tls
from bastide.verify.walls import check_walls
from bastide.verify.wires import check_wires

FAMILIES: Mapping[str, Callable[[Scene], Iterator[Check]]] = {
    "walls": check_walls,
    "wires": check_wires,
    "tls": check_tls,
    "edge": check_edge,
    "database": check_database,
    "hosts": check_hosts,
    "redundancy": check_redundancy,
    "monitoring": check_monitoring,
}

WAVES: tuple[tuple[str, ...], ...] = (
    # Millions of packets: captures would have to read them all, and what is judged by the clock would wait.
    ("walls",),
    # These wait most of the time, for logs, for timeouts, for replicas; each knows its own requests by their words.
    ("wires", "tls", "edge", "database", "redundancy", "monitoring"),
    # Its reloads end connections, which others would take for an answer.
    ("hosts",),
)


class UnknownCheck(Exception):
    """A name that fits no family. `hint` names them all."""

    def __init__(self, name: str) -> None:
        self.hint = f"there are: {', '.join(FAMILIES)}; and each check's own name, such as walls.in.db1"
        super().__init__(f"there is no check '{name}'")


def families_of(chosen: Sequence[str]) -> tuple[str, ...]:
    """Families that have the chosen checks; all of them when none is chosen. Raises UnknownCheck."""
    for name in chosen:
        if name.partition(".")[0] not in FAMILIES:
            raise UnknownCheck(name)
    heads = {name.partition(".")[0] for name in chosen}
    return tuple(family for family in FAMILIES if not heads or family in heads)


def run_side_by_side(scene: Scene, families: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Iterator[Check]]]:
    """Wave by wave: which families go together, and their checks, in the order of the families."""
    for wave in WAVES:
        together = tuple(family for family in families if family in wave)
        if together:
            yield together, _run_together(scene, together)


def _run_together(scene: Scene, families: tuple[str, ...]) -> Iterator[Check]:
    first, *others = families
    with ThreadPoolExecutor(max_workers=len(families)) as pool:
        begun = [pool.submit(lambda name: list(run_family(scene, name)), family) for family in others]
        yield from run_family(scene, first)
        for family in begun:
            yield from family.result()


def run_family(scene: Scene, family: str) -> Iterator[Check]:
    """Its checks, or those of them that were chosen."""
    found = 0
    try:
        for check in FAMILIES[family](scene):
            if wanted(check.id, scene.chosen):
                found += 1
                yield check
    except AskFailed as failure:
        yield untested(family, f"every check of {family}", str(failure))
    else:
        if not found:
            yield untested(family, f"what was asked for of {family}", "this layout has nothing of it")


def wanted(identifier: str, chosen: Sequence[str]) -> bool:
    """Whether a check was asked for: by its name, or by a name that it lies below."""
    return not chosen or any(identifier == name or identifier.startswith(f"{name}.") for name in chosen)
