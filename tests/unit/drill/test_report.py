"""The report: one file that loads nothing, says everything, and trusts no text that comes from the system."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from bastide.drill.judge import judge
from bastide.drill.outcome import Outcome, results_json, untested_row
from bastide.drill.report import render_report
from bastide.drill.scenario import FaultSpec, Scenario
from bastide.drill.series import derive_series
from bastide.drill.targets import Facts
from bastide.drill.watch import Watch
from tests.unit.drill.test_judge import GO_ON, MARKS, held_by, ledger, writable

PROMISED = {
    "name", "fault", "expected", "outage_read_s", "outage_write_s", "requests", "failed", "acknowledged", "lost",
    "verdict",
}  # fmt: skip


def make_outcome(
    name: str = "kill:db1", *, out: tuple[float, float] = (5, 7), proves: str = "It holds."
) -> Outcome:
    told = ledger(out)
    watch = Watch(seen={"db1": writable((0, 5)), "db2": writable((7, 20))})
    fault = FaultSpec(kind="kill", targets=("db1",))
    return Outcome(
        scenario=Scenario(name=name, proves=proves, fault=fault, hold_s=6),
        fault=fault,
        expect=GO_ON,
        marks=MARKS,
        judgement=judge(told, watch, held_by(told), MARKS, GO_ON),
        after=Facts(primary="db2", standby="db1", active_balancer=None),
        evidence={"effect": {"without power": ["db1"]}},
        ledger=told,
        watch=watch,
    )


def render(*outcomes: Outcome) -> str:
    rows = [outcome.to_json() for outcome in outcomes]
    series = {outcome.scenario.name: derive_series(outcome) for outcome in outcomes}
    return render_report(rows, series, name="shop", when="today", command="bastide drill", seed=0)


def test_json_has_what_is_promised() -> None:
    document = results_json([make_outcome().to_json()], 4)
    assert document["version"] == 1 and document["seed"] == 4
    assert set(document["scenarios"][0]) >= PROMISED
    json.dumps(document)
    untested = untested_row(make_outcome().scenario, "nothing broke")
    assert set(untested) == set(document["scenarios"][0]) and untested["verdict"] == "not_tested"


def test_the_report_loads_nothing_and_says_failures_first() -> None:
    text = render(make_outcome("kill:web1"), make_outcome("kill:db2", out=(5, 16)))
    assert not re.search(r"""(src|href)=["'](?!#)""", text), "nothing is loaded"
    assert text.index('class="tag failed"') < text.index('class="tag met"')
    assert "1 of 2 faults did what was expected" in text and "uPlot" in text


def test_text_of_the_system_is_text() -> None:
    evil = "</script><script>alert(1)</script>"
    outcome = make_outcome(proves=evil)
    outcome = replace(outcome, evidence={"said": evil}, scenario=replace(outcome.scenario, name=evil))
    text = render(outcome)
    assert evil not in text


def test_the_series_show_the_outage_where_it_was() -> None:
    series = derive_series(make_outcome())
    at = dict(zip(series["x"], series["answered"], strict=True))
    dead = [second for second in at if 0.5 < second < 1.5]
    assert dead and all(at[second] == 0 for second in dead)
    assert max(at.values()) <= 12, "no slice counts twice"
    assert max(value for second, value in at.items() if second < -0.5) > 5
    assert series["fault"] == [0.0, 10.0] and series["writable"]["db1"] == [[-5.0, 0.0]]
