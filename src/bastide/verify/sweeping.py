"""The port matrix: every machine knocks at every port of every address that it can reach.

In: Scene, Reach. Out: `Matrix`: what each door said, and whether every probe arrived.
Holds: probes leave past the sender's own wall, so the target's wall alone is judged; the target counts what arrives
before its wall, so that silence means dropped and not lost. Targets that lost probes are asked again.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bastide.agent.events import VERIFY_PORTS
from bastide.verify.asking import AskFailed, Asking
from bastide.verify.reach import Door, Reach
from bastide.verify.scene import Scene

FIRST_PORT = VERIFY_PORTS.start + 100
"""Source ports of probes: above what kernels give to programs, and known to agents."""
ROUNDS = 3
_SERVERS_PER_SECOND = 20_000
"""What one machine sends at most in a real network: about ten megabits a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one door said."""

    door: Door
    source_address: str
    sent: int
    open: tuple[int, ...]
    closed: tuple[int, ...]
    """Let through by the wall; nobody listens."""
    why: str
    """Why nothing could be sent; empty when it could."""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """All that was seen."""

    seen: tuple[Seen, ...]
    sent: Mapping[str, int]
    """Probes to each target, in the round that counted."""
    arrived: Mapping[str, int]
    """How many of these it counted; -1 where it could not."""
    failures: Mapping[str, str]
    """Machines that could not sweep, and why."""

    def whole(self, target: str) -> bool:
        """Whether every probe to it arrived, and some were sent."""
        return 0 < self.sent.get(target, 0) == self.arrived.get(target, -1)


def sweep_matrix(scene: Scene, reach: Reach, few: Sequence[int]) -> Matrix:
    """Knock everywhere: at all ports, or at a `few` where the scene or the door asks for no more."""
    seen: dict[Door, Seen] = {}
    sent: dict[str, int] = {}
    arrived: dict[str, int] = {}
    failures: dict[str, str] = {}
    wanted = {door.target for door in reach.doors}
    for number in range(ROUNDS):
        doors = [door for door in reach.doors if door.target in wanted]
        lowest = FIRST_PORT + 200 * number
        counters = {target: _begin_count(scene, target) for target in sorted(wanted)}
        found = _sweep(scene, doors, lowest, few, failures)
        seen |= {one.door: one for one in found}
        for target, counter in counters.items():
            sent[target] = sum(one.sent for one in found if one.door.target == target)
            arrived[target] = _end_count(counter)
        wanted = {target for target in wanted if sent[target] != arrived[target] >= 0}
        if not wanted:
            break
        scene.say(f"probes to {', '.join(sorted(wanted))} were lost on the way: once more")
    return Matrix(seen=tuple(seen.values()), sent=sent, arrived=arrived, failures=failures)


def _sweep(
    scene: Scene, doors: list[Door], lowest: int, few: Sequence[int], failures: dict[str, str]
) -> list[Seen]:
    sources = list(dict.fromkeys(door.source for door in doors))

    def work(source: str) -> list[Seen]:
        own = [door for door in doors if door.source == source]
        # Each begins with another target, so that no host has to take everybody's probes at once.
        turn = sources.index(source) % len(own)
        own = own[turn:] + own[:turn]
        full = [] if scene.quick else [door.knock_at for door in own if door.full]
        answer = scene.ask(
            source, "sweep", targets=[door.knock_at for door in own], full=full, few=list(few),
            source_port=lowest + sources.index(source) % 200, patience_s=scene.patience_s,
            per_second=0 if scene.lab else _SERVERS_PER_SECOND,
        )  # fmt: skip
        scene.say(f"{source}: {sum(a['sent'] for a in answer.values()):,} probes")
        return [_seen(door, answer[door.knock_at]) for door in own]

    answers = scene.each(sources, work)
    failures.update({name: str(said) for name, said in answers.items() if isinstance(said, AskFailed)})
    return list(itertools.chain.from_iterable(s for s in answers.values() if not isinstance(s, AskFailed)))


def _seen(door: Door, answer: Mapping[str, Any]) -> Seen:
    return Seen(
        door=door, source_address=str(answer.get("from", "")), sent=int(answer["sent"]),
        open=tuple(answer["open"]), closed=tuple(answer["closed"]), why=str(answer.get("why", "")),
    )  # fmt: skip


def _begin_count(scene: Scene, target: str) -> Asking | None:
    asking = scene.begin(target, "arrivals")
    try:
        return asking.await_ready()
    except AskFailed:
        asking.close()
        return None


def _end_count(counter: Asking | None) -> int:
    if counter is None:
        return -1
    try:
        return int(counter.finish())
    except AskFailed:
        return -1
