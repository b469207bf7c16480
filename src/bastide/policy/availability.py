"""How much of the time requests are answered, predicted from figures of failure and repair.

In: a Topology and `Availability`, the spec's figures. Out: `Prediction`: shares of time, and the arithmetic as lines.
Holds: exact for the request path of `paths.py` if machines and roles fail independently of each other; hosts that
stand in several tiers are counted once. What is left out, and said: seconds of takeover, faults that all machines
share (a bad release, a lost network, a wrong spec), and load.

The path works if every stage does; a stage that needs all of its hosts counts as one stage for each of them.
By inclusion and exclusion over the stages that are "one of these hosts",
    P(works) = Σ over sets S of them of (-1)^|S| · P(every stage of S is down, and a majority of voters is there),
and each of these is a product over hosts, with the number of living voters carried along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations

from bastide.policy.paths import RequestPath, Stage, derive_request_path
from bastide.policy.structure import All, AnyOf
from bastide.spec.review import Availability, Repair
from bastide.spec.values import format_duration
from bastide.topology.model import Topology

_YEAR_S = 365 * 86400.0
_VOTERS = "voters"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Shares of time, from 0 to 1."""

    reads: float
    writes: float
    arithmetic: tuple[str, ...]
    """How they come about, line by line."""


def predict_availability(topology: Topology, figures: Availability, *, primary: str | None = None) -> Prediction:
    """The prediction for that layout."""
    path = derive_request_path(topology, primary=primary)
    reads, writes = (_works(_stages(path, kind), figures) for kind in ("reads", "writes"))
    return Prediction(reads=reads, writes=writes, arithmetic=_arithmetic(path, figures, reads, writes))


def unavailability(repair: Repair) -> float:
    """Share of time away: mttr / (mtbf + mttr)."""
    return repair.mttr / (repair.mtbf + repair.mttr)


def _stages(path: RequestPath, kind: str) -> list[Stage]:
    stages = [stage for stage in path.stages if kind in stage.stops]
    return [one for stage in stages for one in _split(stage)]


def _split(stage: Stage) -> list[Stage]:
    if not isinstance(stage.need, All):
        return [stage]
    return [
        replace(stage, members=(host,), need=AnyOf((need,)))
        for host, need in zip(stage.members, stage.need.needs, strict=True)
    ]


def _works(stages: Sequence[Stage], figures: Availability) -> float:
    tiers = [stage for stage in stages if stage.role != _VOTERS]
    voting = next((stage for stage in stages if stage.role == _VOTERS), None)
    subsets = chain.from_iterable(combinations(tiers, size) for size in range(len(tiers) + 1))
    return sum((-1.0) ** len(down) * _all_down(down, voting, figures) for down in subsets)


def _all_down(down: Sequence[Stage], voting: Stage | None, figures: Availability) -> float:
    """Every one of these stages is down, and a majority of the voters is there."""
    voters = frozenset(voting.members) if voting else frozenset()
    hosts = dict.fromkeys(chain.from_iterable([*(stage.members for stage in down), voters]))
    machine, voter = unavailability(figures.host), unavailability(figures.witness)
    living = [1.0]
    """Probability of everything so far, by the number of voters that are there."""
    for host in hosts:
        roles = 1.0
        # Stages of one role are the same software: it is down for all of them, or for none.
        for stage in {stage.role: stage for stage in down if host in stage.members}.values():
            roles *= unavailability(_figures(stage, figures))
        if host not in voters:
            living = [p * (machine + (1 - machine) * roles) for p in living]
            continue
        gone, there = machine + (1 - machine) * roles * voter, (1 - machine) * roles * (1 - voter)
        living = [
            (living[n] * gone if n < len(living) else 0.0) + (living[n - 1] * there if n else 0.0)
            for n in range(len(living) + 1)
        ]
    return sum(living[len(voters) // 2 + 1 if voting else 0 :])


def _figures(stage: Stage, figures: Availability) -> Repair:
    by_role: Mapping[str, Repair] = {
        "balancer": figures.balancer,
        "web": figures.web,
        "app": figures.app,
        "database": figures.database,
        _VOTERS: figures.witness,
    }
    return by_role[stage.role]


def _arithmetic(path: RequestPath, figures: Availability, reads: float, writes: float) -> tuple[str, ...]:
    machine = unavailability(figures.host)
    lines = [f"a machine is away {_ratio(figures.host)}"]
    for stage in path.stages:
        own = unavailability(_figures(stage, figures))
        member = 1 - (1 - machine) * (1 - own)
        count = len(stage.members)
        lines.append(f"{stage.name}: its software is away {_ratio(_figures(stage, figures))}")
        lines.append(f"  a host of it: 1 - (1 - {machine:.3g})(1 - {own:.3g}) = {member:.3g}")
        alone = 1 - _works(_split(stage), figures)
        if stage.role == _VOTERS:
            lines.append(f"  fewer than {count // 2 + 1} of {count} are there: {alone:.3g}")
        elif isinstance(stage.need, All) and count > 1:
            lines.append(f"  one of {count} is away: 1 - (1 - {member:.3g})^{count} = {alone:.3g}")
        else:
            how = f"{member:.3g}" if count == 1 else f"{member:.3g}^{count}"
            lines.append(f"  {'it is' if count == 1 else f'all {count} are'} away: {how} = {alone:.3g}")
    lines.append("together, hosts that stand in several places counted once:")
    for name, share in (("reads", reads), ("writes", writes)):
        lines.append(f"  {name}: {share:.6%}, away {_span((1 - share) * _YEAR_S)} a year")
    lines.append("not counted: seconds of takeover, faults that all hosts share, overload")
    return tuple(lines)


def _ratio(repair: Repair) -> str:
    mtbf, mttr = format_duration(repair.mtbf), format_duration(repair.mttr)
    return f"{mttr} / ({mtbf} + {mttr}) = {unavailability(repair):.3g} of the time"


def _span(seconds: float) -> str:
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(0.0, seconds):.1f} seconds"
