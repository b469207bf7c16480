"""Without the register: when a promise is asked for, of whom, and what it is good for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bastide.keeper import failsafe as module
from bastide.keeper import lease as lease_module
from bastide.keeper.failsafe import OVERDUE_S, Failsafe
from bastide.keeper.lease import Lease
from bastide.keeper.patience import FENCE_S
from bastide.keeper.seat import Seat, Standby
from tests.unit.keeper.test_lease import FakeRegister

NAMED = Seat(
    cluster="c", epoch=4, phase="open", holder="db1", owner="db1", standby=Standby(host="db2", session="s")
)
SETTINGS: Any = SimpleNamespace(host="db1", peers=(SimpleNamespace(host="db2"),))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def to(now_s: float) -> None:
        for one in (module, lease_module):
            monkeypatch.setattr(one, "now_s", lambda: now_s)

    to(100.0)
    return to


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Who was asked; each promises."""
    found: list[tuple[str, str, int]] = []

    def ask(peer: Any, host: str, epoch: int, within_s: float) -> bool:
        found.append((peer.host, host, epoch))
        return True

    monkeypatch.setattr(module, "ask_promise", ask)
    return found


def primary(seat: Seat) -> tuple[Lease, FakeRegister]:
    """Its lease was renewed just now."""
    register = FakeRegister()
    register.seat = seat
    lease = Lease(register, "db1", lambda _: None, lambda: None, float("-inf"))  # type: ignore[arg-type]
    lease._refresh()
    assert lease.propose(replace(seat, n=1), seat)
    return lease, register


def test_nobody_is_asked_while_renewals_come_through_and_the_standby_when_one_is_overdue(
    clock: Callable[[float], None], asked: list[tuple[str, str, int]]
) -> None:
    lease, _ = primary(NAMED)
    failsafe = Failsafe(SETTINGS, lease, lambda: True)
    clock(100.0 + OVERDUE_S - 0.1)
    failsafe.look()
    assert not asked
    clock(100.0 + OVERDUE_S)
    failsafe.look()
    assert asked == [("db2", "db1", 4)] and lease.known().deadline_s == 100.0 + OVERDUE_S + FENCE_S


def test_without_a_promise_the_lease_runs_out(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, _ = primary(NAMED)
    monkeypatch.setattr(module, "ask_promise", lambda *_: False)
    clock(102.0)
    Failsafe(SETTINGS, lease, lambda: True).look()
    assert lease.known().deadline_s == 100.0 + FENCE_S


def test_alone_nobody_is_asked_unless_somebody_may_have_been_named(
    clock: Callable[[float], None], asked: list[tuple[str, str, int]]
) -> None:
    lease, register = primary(replace(NAMED, standby=None))
    failsafe = Failsafe(SETTINGS, lease, lambda: True)
    clock(102.0)
    failsafe.look()
    assert not asked and lease.known().vouched
    register.answers = ["lost"]
    lease.propose(NAMED, replace(NAMED, standby=None))
    clock(104.0)
    failsafe.look()
    assert asked == [("db2", "db1", 4)], "that proposal may still arrive"


def test_who_does_not_hold_the_open_seat_asks_nobody(
    clock: Callable[[float], None], asked: list[tuple[str, str, int]]
) -> None:
    lease, register = primary(NAMED)
    clock(102.0)
    for seat in (replace(NAMED, phase="promoting"), replace(NAMED, holder="db2", epoch=5)):
        register.seat, register.rev = seat, register.rev + 1
        lease._refresh()
        Failsafe(SETTINGS, lease, lambda: True).look()
    assert not asked


def test_nobody_is_asked_to_wait_for_a_server_that_died(
    clock: Callable[[float], None], asked: list[tuple[str, str, int]]
) -> None:
    lease, _ = primary(NAMED)
    clock(102.0)
    Failsafe(SETTINGS, lease, lambda: False).look()
    assert not asked and lease.known().deadline_s == 100.0 + FENCE_S
