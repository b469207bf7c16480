"""A takeover that a drill brought about does not hold back the next one; one that came before the drill is waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from bastide.drill import restore, run
from bastide.drill.ground import Ground, Look
from bastide.drill.refusals import DrillRefused, NotRestored
from bastide.drill.targets import Facts
from bastide.project.database import OrderRefused

FACTS = Facts(primary="db2", standby="db1")


class World:
    """A database whose next takeover waits, and the time that passes."""

    def __init__(self, held_s: float, refusals: int = 0) -> None:
        self.held_s, self.refusals = held_s, refusals
        self.now = 0.0
        self.unheld: list[str] = []
        self.said: list[str] = []

    def look(self, last: Look | None = None) -> Look:
        return Look(facts=FACTS, ailments=(), held_s=max(0.0, self.held_s - self.now))

    def unhold(self, primary: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OrderRefused("db2 is not the primary: ask db1")
        self.unheld.append(primary)

    def say(self, words: str) -> None:
        self.said.append(words)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ground(monkeypatch: pytest.MonkeyPatch, world: World) -> Ground:
    for module in (restore, run):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=world.monotonic, sleep=world.sleep))
    return cast(Ground, world)


def test_whole_is_what_would_take_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(held_s=50.0)
    assert restore.await_whole(ground(monkeypatch, world)) == FACTS
    assert world.unheld == ["db2"] and world.now == 0.0


def test_where_nothing_is_held_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(held_s=0.0)
    restore.await_whole(ground(monkeypatch, world))
    assert not world.unheld


def test_a_refusal_is_asked_again_and_in_the_end_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(held_s=50.0, refusals=3)
    restore.await_whole(ground(monkeypatch, world))
    assert world.unheld == ["db2"] and "failover_hold" in world.said[0]
    world = World(held_s=5000.0, refusals=10_000)
    with pytest.raises(NotRestored):
        restore.await_whole(ground(monkeypatch, world))


def test_a_takeover_of_before_is_waited_for_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(held_s=44.0)
    assert run.refuse_unwell(ground(monkeypatch, world)) == FACTS
    assert 44.0 <= world.now < 50.0 and "waits 44 s (failover_hold)" in world.said[0]
    assert not world.unheld, "that one was no drill's"


def test_many_of_them_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(held_s=240.0)
    with pytest.raises(DrillRefused) as refused:
        run.refuse_unwell(ground(monkeypatch, world))
    assert world.now == 0.0 and "bastide db resume" in refused.value.hint
