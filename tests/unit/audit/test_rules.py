"""Every rule finds its weakness, and finds nothing where it is not."""

from __future__ import annotations

import re

import pytest

from bastide.audit.judge import Report, judge
from bastide.audit.registry import CATEGORIES, RULES, RULES_BY_ID, category
from bastide.spec.errors import dotted
from tests.unit.audit.rule_cases import BOARD, CASES, GOOD
from tests.unit.audit.subjects import Design, design, subject_of


def report_on(case: Design, *, on_servers: bool = True) -> Report:
    return judge(subject_of(case, on_servers=on_servers))


def ids(report: Report) -> set[str]:
    return {finding.rule.id for finding in (*report.findings, *report.waived, *report.notes)}


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert list(CASES) == [rule.id for rule in RULES]
    assert len(RULES) == len(RULES_BY_ID) >= 45


@pytest.mark.parametrize("rule", CASES)
def test_it_fires_on_the_one_and_not_on_the_other(rule: str) -> None:
    fires, quiet = CASES[rule]
    assert rule in ids(report_on(fires))
    assert rule not in ids(report_on(quiet))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_explains_itself(rule) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(r"[A-Z]{2,5}\d{3}", rule.id)
    assert category(rule.id) in CATEGORIES.values()
    assert rule.why.endswith(".") and rule.fix.endswith(".")
    assert not rule.title.endswith(".") and len(rule.title) < 70


@pytest.mark.parametrize("rule", CASES)
def test_every_finding_says_what_where_and_is_one_sentence(rule: str) -> None:
    report = report_on(CASES[rule][0])
    for finding in (*report.findings, *report.notes, *report.waived):
        assert finding.element and finding.message
        assert not finding.message.endswith(".")
        assert "None" not in finding.message
        assert dotted(finding.at)


def test_no_finding_shows_a_secret() -> None:
    for rule in ("SEC001", "SEC004", "SEC005"):
        report = report_on(CASES[rule][0])
        assert not any("hunter2" in f.message or "services/T" in f.message for f in report.findings)


def test_the_whiteboard_has_its_three_flaws_first() -> None:
    for on_servers in (True, False):
        report = report_on(BOARD, on_servers=on_servers)
        assert [f.rule.id for f in report.findings][:3] == ["TLS001", "AVA001", "UNI001"]
        assert report.grade.letter in "DEF"
        assert "TLS001" in report.grade.reason
        assert [cut.elements for cut in report.single_points if cut.kind == "hosts"] == [("lb1",), ("server1",)]


def test_the_resilient_one_is_clean_in_the_lab() -> None:
    report = report_on(GOOD, on_servers=False)
    assert report.findings == ()
    assert report.grade.letter == "A"
    assert report.single_points == ()


def test_findings_stand_worst_first() -> None:
    weights = ["critical", "high", "medium", "low", "info"]
    found = [weights.index(f.severity) for f in report_on(BOARD).findings]
    assert found == sorted(found)


def waived(until: str, element: str | None = None) -> Report:
    entry = {"rule": "NET001", "reason": "behind a VPN", "until": until}
    if element is not None:
        entry["element"] = element
    return report_on(design(firewall={"admin": []}, audit={"waive": [entry]}))


def test_a_waiver_sets_a_finding_apart_and_never_hides_it() -> None:
    report = waived("2026-11-20")
    assert "NET001" not in {f.rule.id for f in report.findings}
    (finding,) = report.waived
    assert finding.rule.id == "NET001" and finding.waived is not None and finding.waived.reason == "behind a VPN"


def test_a_waiver_covers_the_element_that_it_names_and_no_other() -> None:
    assert waived("2027-01-01", "firewall.admin").waived
    report = waived("2027-01-01", "firewall.egress")
    assert not report.waived
    assert {"NET001", "WAI004"} <= {f.rule.id for f in report.findings}


def test_a_waiver_that_has_run_out_is_a_finding_beside_the_one_that_it_covered() -> None:
    report = waived("2026-11-19")
    assert {"NET001", "WAI001"} <= {f.rule.id for f in report.findings}
    assert not report.waived


def test_a_waived_weakness_still_caps_the_grade() -> None:
    waive = [{"rule": "AVA001", "reason": "known", "until": "2027-01-01"}]
    report = report_on(design(database={"failover": "manual"}, audit={"waive": waive}), on_servers=False)
    assert not report.findings
    assert report.grade.letter == "B" and "waived" in report.grade.reason


def test_waivers_cannot_waive_rules_about_waivers() -> None:
    waive = [{"rule": "WAI001", "reason": "x", "until": "2027-01-01"},
             {"rule": "NET001", "reason": "old", "until": "2020-01-01"}]  # fmt: skip
    report = report_on(design(audit={"waive": waive}))
    assert "WAI001" in {f.rule.id for f in report.findings}
