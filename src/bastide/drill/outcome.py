"""What came of one scenario, for people and programs.

In: Scenario, Judgement, evidence. Out: `Outcome`, and its JSON; keys, once published, stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bastide.drill.judge import Judgement, Marks
from bastide.drill.ledger import Ledger
from bastide.drill.scenario import Expectation, FaultSpec, Scenario
from bastide.drill.targets import Facts
from bastide.drill.watch import Watch

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One scenario, done."""

    scenario: Scenario
    fault: FaultSpec
    """With the names that were meant at the time."""
    expect: Expectation
    marks: Marks
    judgement: Judgement
    after: Facts
    """Who was what when everything was whole again."""
    evidence: Mapping[str, Any]
    """Proof of the fault's effect, positions, who was primary before and after."""
    ledger: Ledger = field(repr=False)
    watch: Watch = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """As `bastide drill --json` shows it."""
        j, m = self.judgement, self.marks
        return {
            "name": self.scenario.name,
            "proves": self.scenario.proves,
            "fault": str(self.fault),
            "expected": str(self.expect),
            "expected_because": self.expect.why,
            "outage_read_s": _seconds(j.outage_read_s),
            "outage_write_s": _seconds(j.outage_write_s),
            "outage_read_at_s": _seconds(j.outage_read_at_s),
            "outage_write_at_s": _seconds(j.outage_write_at_s),
            "requests": j.requests,
            "failed": j.failed,
            "failures": dict(j.failures),
            "retried": j.retried,
            "acknowledged": j.acknowledged,
            "refused": j.refused,
            "unknown": j.unknown,
            "lost": j.lost,
            "duplicated": j.duplicated,
            "refused_but_present": j.refused_but_present,
            "unread": j.unread,
            "two_writers_s": _seconds(j.two_writers_s),
            "agreed": j.agreed,
            "looks": j.looks,
            "look_each_ms": round(j.look_each_s * 1000, 1),
            "latency_ms": dict(j.latency_ms),
            "held_s": _seconds(m.restoring - m.broken),
            "restored_s": _seconds(m.restored - m.restoring),
            "began": m.began,
            "verdict": j.verdict,
            "reasons": list(j.reasons),
            "evidence": dict(self.evidence),
        }


def untested_row(scenario: Scenario, reason: str) -> dict[str, Any]:
    """The row of a scenario that came to nothing, though everything is whole: `reason` says why."""
    return {
        "name": scenario.name, "proves": scenario.proves, "fault": str(scenario.fault), "expected": "",
        "expected_because": "it was not tested", "outage_read_s": 0.0, "outage_write_s": None, "outage_read_at_s": 0.0,
        "outage_write_at_s": None, "requests": 0, "failed": 0, "failures": {}, "retried": 0, "acknowledged": 0,
        "refused": 0, "unknown": 0, "lost": 0, "duplicated": 0, "refused_but_present": 0, "unread": 0,
        "two_writers_s": 0.0, "agreed": True, "looks": 0, "look_each_ms": 0.0, "latency_ms": {}, "held_s": 0.0,
        "restored_s": 0.0, "began": 0.0, "verdict": "not_tested", "reasons": [reason], "evidence": {},
    }  # fmt: skip


def results_json(rows: list[dict[str, Any]], seed: int, **more: Any) -> dict[str, Any]:
    """The whole document."""
    return {"version": VERSION, "seed": seed, **more, "scenarios": rows}


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
