"""Reads are told on the visitors' clock: ours, if a message was ever heard as soon as that allows."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastide.drill.ground import Ground
from bastide.drill.load import Load, Site

_AT = 1000.0
_GROUND = cast(Ground, SimpleNamespace(target=SimpleNamespace(spec=SimpleNamespace(database=None))))
_SITE = Site(domain="shop.test", path="/", address=None, ca=None)


def due(*ages_s: float) -> list[float]:
    """When reads were due on our clock, told in messages that were said so long before they are heard."""
    load, left = Load(_GROUND, _SITE), list(ages_s)

    def read() -> dict[str, Any]:
        return {"seen": [[_AT, _AT + 0.1, 200, False]], "now": time.time() - left.pop(0)} if left else {}

    load._follow(read)
    assert load._thread is not None
    load._thread.join()
    return [read.due for read in load.peek().reads]


def test_what_is_heard_late_moves_no_clock() -> None:
    assert due(0, 5.0) == due(5.0, 0) == [_AT, _AT]


@pytest.mark.parametrize("ahead_s", [60.0, -60.0])
def test_a_clock_that_is_another_counts_by_what_was_heard_soonest(ahead_s: float) -> None:
    assert due(-ahead_s, 5.0 - ahead_s) == pytest.approx([_AT - ahead_s] * 2, abs=1.0)
