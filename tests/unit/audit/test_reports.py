"""What scripts, code hosts and people are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from bastide.audit.document import report_json
from bastide.audit.judge import Report, judge
from bastide.audit.pages import render_rules
from bastide.audit.registry import RULES
from bastide.audit.sarif import report_sarif
from bastide.audit.text import report_lines
from bastide.spec.errors import Keys
from tests.unit.audit.rule_cases import BOARD, CASES, GOOD
from tests.unit.audit.subjects import design, subject_of

SCHEMA = Path(__file__).parent / "schemas" / "sarif-schema-2.1.0.json"
WAIVED = design(
    firewall={"admin": []}, audit={"waive": [{"rule": "NET001", "reason": "VPN", "until": "2027-01-01"}]}
)


def place(at: Keys) -> tuple[str, int]:
    return "bastide.yaml", len(at)


def sarif(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(report_sarif(report, place=place)))
    return document


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    return Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.parametrize("case", [BOARD, GOOD, WAIVED, *(fires for fires, _ in list(CASES.values())[::9])])
def test_sarif_follows_the_published_schema(schema: Draft4Validator, case: Any) -> None:
    errors = [error.message for error in schema.iter_errors(sarif(judge(subject_of(case))))]
    assert errors == []


def test_the_schema_refuses_what_is_no_sarif(schema: Draft4Validator) -> None:
    document = sarif(judge(subject_of(BOARD)))
    document["runs"][0]["results"][0]["level"] = "terrible"
    del document["runs"][0]["tool"]
    assert len(list(schema.iter_errors(document))) == 2


def test_sarif_names_rule_line_and_suppression() -> None:
    (run,) = sarif(judge(subject_of(WAIVED)))["runs"]
    assert len(run["tool"]["driver"]["rules"]) == len(RULES)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"]["uri"] == "bastide.yaml" and location["region"]["startLine"] >= 1
    suppressed = [r for r in run["results"] if r.get("suppressions")]
    assert [r["ruleId"] for r in suppressed] == ["NET001"]
    assert suppressed[0]["suppressions"] == [{"kind": "inSource", "justification": "VPN"}]


def test_json_keeps_its_contract() -> None:
    document = report_json(judge(subject_of(BOARD)), place=place, further=())
    assert json.loads(json.dumps(document)) == document
    assert document["version"] == 1 and document["grade"] in "ABCDEF"
    for finding in document["findings"]:
        assert {"rule", "severity", "element", "message", "fix", "file", "line"} <= finding.keys()
    assert [p["element"] for p in document["single_points"] if p["kind"] == "hosts"] == ["lb1", "server1"]
    assert 0 < document["availability"]["writes"] < 1


def text(case: Any, *, everything: bool = False) -> list[str]:
    report = judge(subject_of(case))
    lines = report_lines(
        report, place=lambda at: f"bastide.yaml:{len(at)}", further=(), everything=everything, fixable=""
    )
    return [line.text + line.rest for line in lines]


def test_failures_only_and_the_summary_last() -> None:
    lines = text(BOARD)
    assert "TLS001" in lines[0]
    assert not any("UNI007" in line for line in lines)
    assert lines[-1].startswith("grade ")
    assert "capped at" in lines[-1]


def test_everything_shows_notes_cut_sets_and_arithmetic() -> None:
    lines = "\n".join(text(BOARD, everything=True))
    assert "UNI007" in lines
    assert "server1: reads and writes stop" in lines
    assert "a machine is away 4h / (365d + 4h)" in lines


def test_what_is_waived_is_always_shown_with_its_reason() -> None:
    shown = [line for line in text(WAIVED) if line.startswith("waived")]
    assert len(shown) == 1 and "NET001" in shown[0] and "VPN" in shown[0] and "2027-01-01" in shown[0]


def test_the_page_of_the_rules_is_the_current_one() -> None:
    page = Path(__file__).parents[3] / "docs" / "audit.md"
    assert page.read_text(encoding="utf-8") == render_rules(), "rules changed: make docs"
