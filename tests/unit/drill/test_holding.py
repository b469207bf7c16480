"""A fault is held until what is expected shows, however long one takes to be told of it."""

from __future__ import annotations

from typing import cast

import pytest

from bastide.drill import load as drill_load
from bastide.drill import run
from bastide.drill.ground import Ground
from bastide.drill.ledger import Ledger, Read, Write
from bastide.drill.scenario import Expectation, FaultSpec, Scenario

GO_ON = Expectation(reads="go_on", writes="go_on", why="a test", within_s=60)


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Load:
    """All goes well; to be told of the writes takes ten seconds more than of the reads, since one host is without power."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def peek(self) -> Ledger:
        asked = self.clock.now
        self.clock.sleep(10)
        writes = tuple(
            Write(id=n, fate="acknowledged", began=n / 10, ended=n / 10 + 0.01, tries=1, read_again=None)
            for n in range(900, int(asked * 10))
        )
        reads = tuple(
            Read(due=n / 10, ended=n / 10 + 0.01, said=200, retried=False)
            for n in range(900, int(self.clock.now * 10))
        )
        return Ledger(reads=reads, writes=writes, writing=True)


class Quiet:
    """A ground that is told, and says nothing."""

    def say(self, _: str) -> None: ...


def test_a_host_without_power_does_not_make_the_others_words_old(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(run, "time", clock)
    scenario = Scenario(
        name="kill:app2", proves="", fault=FaultSpec(kind="kill", targets=("app2",)), expect=None, hold_s=6.0
    )  # fmt: skip
    run._hold(cast(Ground, Quiet()), cast(drill_load.Load, Load(clock)), scenario, GO_ON, broken=100.0, held=100.0)
    assert clock.now < 120, "the first look after six seconds was enough"
