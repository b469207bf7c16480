"""From a subject to a report: every rule asked, waivers laid over, a grade given.

In: a Subject. Out: `Report`. Holds: findings stand worst first, within a severity in the rules' order; what is waived
is set apart and never left out; a waiver that has run out, or of a rule about waivers, covers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bastide.audit.grade import Grade, decide_grade
from bastide.audit.registry import RULES, RULES_BY_ID, category
from bastide.audit.rule import SEVERITIES, Edit, Hit, Rule, Severity, Subject
from bastide.audit.rules.waivers import UNKNOWN_RULE, UNUSED
from bastide.policy.availability import Prediction, predict_availability
from bastide.policy.cutsets import CutSet
from bastide.spec.errors import Keys
from bastide.spec.review import Waiver


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule that met something."""

    rule: Rule
    severity: Severity
    element: str
    message: str
    at: Keys
    edits: tuple[Edit, ...] = ()
    waived: Waiver | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What audit has to say."""

    findings: tuple[Finding, ...]
    """Failures: what is neither waived nor `info`."""
    waived: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    """Of the severity `info`: worth knowing, and without a better choice here."""
    grade: Grade
    cuts: tuple[CutSet, ...]
    prediction: Prediction
    rules: int
    """How many were asked."""

    @property
    def single_points(self) -> tuple[CutSet, ...]:
        """Hosts and services whose loss alone stops something."""
        return tuple(cut for cut in self.cuts if cut.order == 1)

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings that weigh as much or more."""
        limit = SEVERITIES.index(severity)
        return tuple(f for f in (*self.findings, *self.notes) if SEVERITIES.index(f.severity) <= limit)


def judge(subject: Subject) -> Report:
    """Ask every rule."""
    asked = [rule for rule in RULES if subject.on_servers or not rule.servers_only]
    found = [_finding(subject, rule, hit) for rule in asked for hit in rule.check(subject)]
    found += _about_waivers(subject, found)
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))  # stable: the rules' order stays within one
    waived = tuple(finding for finding in found if finding.waived is not None)
    open_ones = [finding for finding in found if finding.waived is None]
    findings = tuple(finding for finding in open_ones if finding.severity != "info")
    return Report(
        findings=findings,
        waived=waived,
        notes=tuple(finding for finding in open_ones if finding.severity == "info"),
        grade=decide_grade([(f.severity, f.rule.id) for f in findings], [(f.severity, f.rule.id) for f in waived]),
        cuts=subject.cuts,
        prediction=predict_availability(subject.topology, subject.spec.availability),
        rules=len(asked),
    )


def _finding(subject: Subject, rule: Rule, hit: Hit) -> Finding:
    return Finding(
        rule=rule,
        severity=hit.severity or rule.severity,
        element=hit.element,
        message=hit.message,
        at=hit.at,
        edits=hit.edits,
        waived=_waiver(subject, rule, hit.element),
    )


def _waiver(subject: Subject, rule: Rule, element: str) -> Waiver | None:
    if category(rule.id) == "Waivers":
        return None
    for waiver in subject.spec.audit.waive:
        same = waiver.rule == rule.id and waiver.element in (None, element)
        if same and waiver.until >= subject.today:
            return waiver
    return None


def _about_waivers(subject: Subject, found: list[Finding]) -> Iterator[Finding]:
    used = [finding.waived for finding in found]
    for index, waiver in enumerate(subject.spec.audit.waive):
        rule = RULES_BY_ID.get(waiver.rule)
        element, at = f"audit.waive.{index}", ("audit", "waive", index)
        if rule is None:
            message = f"There is no rule {waiver.rule}"
            yield _finding(subject, UNKNOWN_RULE, Hit(element=element, message=message, at=at))
        elif waiver not in used and waiver.until >= subject.today and (subject.on_servers or not rule.servers_only):
            which = f" for {waiver.element}" if waiver.element else ""
            message = f"{waiver.rule} finds nothing{which} that could be accepted"
            yield _finding(subject, UNUSED, Hit(element=element, message=message, at=at))
