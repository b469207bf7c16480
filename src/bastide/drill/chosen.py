"""Which scenarios are meant.

In: names and patterns as typed, the topology, the project's folder of scenarios. Out: Scenarios, each once, in the order
asked for. Raises UnknownTarget, ScenarioInvalid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bastide.drill.files import read_folder, shipped_scenarios
from bastide.drill.generated import all_scenarios, host_scenarios, pair_scenarios, parse_name
from bastide.drill.scenario import Scenario
from bastide.drill.targets import Facts, UnknownTarget, resolve_fault
from bastide.topology.model import Topology


def choose_scenarios(
    asked: Sequence[str], topology: Topology, *, folder: Path, pairs: bool = False
) -> tuple[Scenario, ...]:
    """Each host in turn when nothing is asked for."""
    known = known_scenarios(topology, folder)
    found: list[Scenario] = []
    if pairs:
        found += pair_scenarios(topology)
    elif not asked:
        found += host_scenarios(topology)
    for word in asked:
        matching = [known[word]] if word in known else [s for name, s in known.items() if _fits(name, word)]
        found += matching or [_parsed(word, topology)]
    return tuple({scenario.name: scenario for scenario in found}.values())


def known_scenarios(topology: Topology, folder: Path) -> dict[str, Scenario]:
    """Everything that has a name here: files first, then what follows from the topology."""
    own = [s for s in (*shipped_scenarios(), *read_folder(folder)) if _possible(s, topology)]
    return {scenario.name: scenario for scenario in (*own, *all_scenarios(topology))}


def _fits(name: str, pattern: str) -> bool:
    # A star in the name itself (`kill:*/nginx`) is not asked for by a pattern of hosts such as `kill:web*`.
    return ("*" in pattern or "?" in pattern or "[" in pattern) and fnmatchcase(name, pattern)


def _parsed(word: str, topology: Topology) -> Scenario:
    scenario = parse_name(word)
    resolve_fault(scenario.fault, topology, _somebody(topology))
    return scenario


def _possible(scenario: Scenario, topology: Topology) -> bool:
    """Whether the layout has what a file's fault is about."""
    try:
        resolve_fault(scenario.fault, topology, _somebody(topology))
    except UnknownTarget:
        return False
    return True


def _somebody(topology: Topology) -> Facts:
    """Who might be what; who is, is asked before it runs."""

    def of(role: str, index: int) -> Iterator[str]:
        yield from [host.name for host in topology.tier(role)][index : index + 1]  # type: ignore[arg-type]

    return Facts(
        primary=next(of("database", 0), None),
        standby=next(of("database", 1), None),
        active_balancer=next(of("balancer", 0), None),
    )
