"""The report as JSON, for scripts.

In: a report, and where each finding stands. Out: plain values. Holds: keys, once published, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bastide.audit.judge import Finding, Report
from bastide.policy.cutsets import CutSet
from bastide.spec.errors import Keys

Place = Callable[[Keys], tuple[str, int]]


def report_json(report: Report, *, place: Place, further: Iterable[Finding]) -> dict[str, Any]:
    """Version, grade, findings, single points, and what predicts availability."""
    return {
        "version": 1,
        "grade": report.grade.letter,
        "reason": report.grade.reason,
        "rules": report.rules,
        "findings": [_finding(f, place) for f in report.findings],
        "waived": [
            _finding(f, place) | {"reason": f.waived.reason, "until": f.waived.until}
            for f in report.waived
            if f.waived is not None
        ],
        "notes": [_finding(f, place) for f in report.notes],
        "on_servers": [_finding(f, place) for f in further],
        "single_points": [_cut(cut) | {"element": cut.elements[0]} for cut in report.single_points],
        "cut_sets": [_cut(cut) for cut in report.cuts],
        "availability": {
            "reads": report.prediction.reads,
            "writes": report.prediction.writes,
            "arithmetic": list(report.prediction.arithmetic),
        },
    }


def _finding(finding: Finding, place: Place) -> dict[str, Any]:
    file, line = place(finding.at)
    return {
        "rule": finding.rule.id,
        "severity": finding.severity,
        "title": finding.rule.title,
        "element": finding.element,
        "message": finding.message,
        "fix": finding.rule.fix,
        "fixable": bool(finding.edits),
        "file": file,
        "line": line,
    }


def _cut(cut: CutSet) -> dict[str, Any]:
    return {"elements": list(cut.elements), "kind": cut.kind, "stops": list(cut.stops), "why": cut.why}
