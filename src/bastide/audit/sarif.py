"""The report as SARIF 2.1.0, which code hosts and editors show beside the lines of the spec.

In: a report, and where each finding stands. Out: plain values. Holds: it follows the published schema (a test);
a waived finding is a suppressed result, with its reason.
"""

from __future__ import annotations

from typing import Any

from bastide import __version__
from bastide.audit.document import Place
from bastide.audit.judge import Finding, Report
from bastide.audit.registry import RULES, category
from bastide.audit.rule import Rule, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "none",
}
_SCORES: dict[Severity, str] = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0", "info": "0.0"}


def report_sarif(report: Report, *, place: Place) -> dict[str, Any]:
    """One run of one tool."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "bastide audit",
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in RULES],
                    }
                },
                "results": [
                    _result(finding, place) for finding in (*report.findings, *report.waived, *report.notes)
                ],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.title.replace("-", " ").split() if word.isalnum()),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [category(rule.id).lower()], "security-severity": _SCORES[rule.severity]},
    }


def _result(finding: Finding, place: Place) -> dict[str, Any]:
    file, line = place(finding.at)
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}. {finding.rule.fix}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": max(1, line)}},
                "logicalLocations": [{"fullyQualifiedName": finding.element}],
            }
        ],
    }
    if finding.waived is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.waived.reason}]
    return result
