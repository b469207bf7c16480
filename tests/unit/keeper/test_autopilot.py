"""The loop around the decisions: what is decided is done in that order, and no further than it goes well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bastide.keeper import autopilot
from bastide.keeper.actions import (
    Action,
    CloseAndWait,
    Decision,
    ForgetReplication,
    Kill,
    Nudge,
    Propose,
    SyncRelay,
)
from bastide.keeper.autopilot import CHAIN, DRAIN_S, ROUND_S, SOON_S, Autopilot
from bastide.keeper.facts import Look, Progress
from bastide.keeper.server import ForeignServer, ServerError
from tests.unit.keeper.test_standing import LOOK, SEAT

TAKEN = Propose(seat=replace(SEAT, holder="db2", epoch=4))


class Loop(Autopilot):
    """A loop whose looks, decisions and deeds are made up."""

    def __init__(self, *decisions: Decision, outcome: Callable[[Action], bool] = lambda _: True) -> None:
        self._progress = Progress(opened_s=1.0)
        self._last_line = self._last_complaint = ""
        self._complained_s = float("-inf")
        self.decisions, self.outcome = list(decisions), outcome
        self.done: list[Action] = []
        self.said: list[str] = []
        self._eyes: Any = SimpleNamespace(again=lambda look, _: replace(look, seat=TAKEN.seat))
        self._lease: Any = SimpleNamespace(known=lambda: None)
        self._control: Any = SimpleNamespace(done=lambda order: self.said.append(f"ended {order}"))
        self._beside: Any = SimpleNamespace(account=lambda _: self.said.append("accounts"))

    def _look(self) -> Look:
        return LOOK

    def _act(self, action: Action, look: Look) -> bool:
        self.done.append(action)
        return self.outcome(action)

    def _publish(self, look: Look, decision: Decision) -> None:
        self.said.append(f"{decision.state}: {decision.message}")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Loop]:
    def make(*decisions: Decision, outcome: Callable[[Action], bool] = lambda _: True) -> Loop:
        loop = Loop(*decisions, outcome=outcome)
        monkeypatch.setattr(autopilot, "decide", lambda progress, _: (progress, loop.decisions.pop(0)))
        return loop

    return make


def decision(*actions: Action, state: Any = "running") -> Decision:
    return Decision(state=state, message="as decided", actions=actions)


def test_what_follows_something_that_came_to_nothing_is_not_done(script: Callable[..., Loop]) -> None:
    order = (SyncRelay(), Kill(why="x"), ForgetReplication())
    loop = script(decision(*order), outcome=lambda action: not isinstance(action, Kill))
    assert loop.round() == SOON_S
    assert loop.done == list(order[:2])


def test_what_failed_is_said_and_nothing_after_it_is_done(script: Callable[..., Loop]) -> None:
    def fail(_: Action) -> bool:
        raise ServerError("STOP SLAVE: gone")

    loop = script(decision(SyncRelay(), ForgetReplication()), outcome=fail)
    assert loop.round() == ROUND_S, "not again at once"
    assert loop.done == [SyncRelay()]
    assert loop.said == ["running: SyncRelay failed: STOP SLAVE: gone"], (
        "published; and no accounts of a failed round"
    )
    assert loop._progress.opened_s is None, "whoever failed has to open anew"


def test_a_proposal_that_was_written_is_decided_upon_in_the_same_round_but_not_for_ever(
    script: Callable[..., Loop],
) -> None:
    loop = script(*[decision(TAKEN, state="promoting")] * (CHAIN + 3))
    loop.round()
    assert loop.done == [TAKEN] * CHAIN
    refused = script(*[decision(TAKEN)] * 3, outcome=lambda _: False)
    refused.round()
    assert refused.done == [TAKEN], "what was refused is looked at again first"


def test_a_server_of_somebody_else_is_told_of_and_left_alone(script: Callable[..., Loop]) -> None:
    loop = script()

    def foreign() -> Look:
        raise ForeignServer("belongs to a server on /elsewhere")

    loop._look = foreign  # type: ignore[method-assign]
    assert loop.round() == ROUND_S
    assert not loop.done and "refused: belongs to a server on /elsewhere" in loop._last_line


def test_who_ordered_a_switchover_that_failed_is_told_after_the_reason_was_published(
    script: Callable[..., Loop],
) -> None:
    def fail(_: Action) -> bool:
        raise ServerError("it does not catch up")

    loop = script(decision(CloseAndWait(), TAKEN), outcome=fail)
    loop.round()
    assert loop.said == ["running: CloseAndWait failed: it does not catch up", "ended switchover"]


@pytest.mark.parametrize(
    ("decided", "pause_s"),
    [
        (decision(), ROUND_S),
        (decision(Nudge()), ROUND_S),
        (decision(state="promoting"), DRAIN_S),
        (decision(SyncRelay()), SOON_S),
    ],
)
def test_how_soon_it_looks_again(script: Callable[..., Loop], decided: Decision, pause_s: float) -> None:
    assert script(decided).round() == pause_s
