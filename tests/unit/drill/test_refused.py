"""A fault that cannot be made here: the answer where it was asked for alone, a row that is no success among others."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bastide.cli import drilling
from bastide.cli.progress import Progress
from bastide.drill.generated import make_scenario
from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultRefused
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import RESILIENT, make_spec


def refuse(*_: Any) -> None:
    raise FaultRefused("this computer's disk must not fill up", "bastide up --disk 4G")


def running(monkeypatch: pytest.MonkeyPatch) -> drilling.Running:
    monkeypatch.setattr(drilling, "run_scenario", refuse)
    monkeypatch.setattr(drilling, "_site", lambda *_: None)
    ground = Ground(target=cast("Any", None), topology=resolve_topology(make_spec(RESILIENT)), lab="x")
    return drilling.Running(ground=ground, mode="quiet", path="/", report=None)


def test_among_others_it_is_a_row_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drilling.drill_scenarios(
        running(monkeypatch), [make_scenario("full", ("db1",)), make_scenario("full", ("db2",))]
    )
    assert [row["verdict"] for row in rows] == ["not_tested", "not_tested"]
    assert "bastide up --disk" in drilling.sentence(rows[0])


def test_alone_it_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FaultRefused):
        drilling.drill_scenarios(running(monkeypatch), [make_scenario("full", ("db1",))])


def test_in_a_campaign_it_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    row = running(monkeypatch).run(make_scenario("full", ("db1",)), Progress("quiet"), "1/9")
    assert row["verdict"] == "not_tested"
