"""The load must be one before anything is broken; where it never will be, that is said soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from bastide.drill import load as drill_load
from bastide.drill import run
from bastide.drill.ground import Ground
from bastide.drill.ledger import Ledger, Read
from bastide.drill.refusals import DrillRefused


@dataclass
class Load:
    """Reads are told these, three more at each look."""

    said: list[int | str]
    looks: int = 0

    def peek(self) -> Ledger:
        self.looks += 1
        told = (self.said * 100)[: 3 * self.looks]
        reads = tuple(Read(due=0, ended=0, said=said, retried=False) for said in told)
        return Ledger(reads=reads, writes=(), writing=False)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_PEEK_S", 0)
    monkeypatch.setattr(run, "STEADY_S", 0)


def warm(said: list[int | str]) -> Load:
    load = Load(said)
    run._warm(cast(Ground, None), cast(drill_load.Load, load))
    return load


def test_a_page_that_does_not_exist_is_said_at_once() -> None:
    with pytest.raises(DrillRefused) as refused:
        warm([404])
    assert "no steady load" in str(refused.value) and "reads: 404" in refused.value.lines


def test_a_site_that_still_starts_is_waited_for() -> None:
    assert warm([*[503] * 40, *[200] * 40]).looks > 14
    assert warm([*["refused"] * 40, *[200] * 40]).looks > 14
