"""One letter for a design, and why it is no better.

In: severities and rules of what was found and what was waived. Out: `Grade`. Holds: the worst finding caps the
grade, whatever else is well; a waived one stays a weakness, so it caps too, though less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bastide.audit.rule import Severity

_CAPS: dict[Severity, str] = {"critical": "F", "high": "D", "medium": "C", "low": "B"}
_MANY_HIGH = 5
"""So many findings of the severity high are an E."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grade:
    """From A to F."""

    letter: str
    reason: str
    """Why it is capped there; for an A, that nothing caps it."""


def decide_grade(found: Sequence[tuple[Severity, str]], waived: Sequence[tuple[Severity, str]]) -> Grade:
    """The grade for findings as (severity, rule id)."""
    for severity, letter in _CAPS.items():
        rules = [rule for each, rule in found if each == severity]
        if not rules:
            continue
        if severity == "high" and len(rules) >= _MANY_HIGH:
            letter = "E"
        return Grade(letter=letter, reason=f"capped at {letter} by {_count(rules, severity)}")
    accepted = [rule for severity, rule in waived if severity in ("critical", "high")]
    if accepted:
        return Grade(letter="B", reason=f"capped at B by {_count(accepted, 'high or worse')} that is waived")
    return Grade(letter="A", reason="nothing was found that caps it")


def _count(rules: Sequence[str], severity: str) -> str:
    names = list(dict.fromkeys(rules))
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(rules)} finding{'s' if len(rules) > 1 else ''} of the severity {severity} ({shown})"
