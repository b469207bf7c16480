"""Rules that the store of metrics computes: what is recorded, and what somebody is told.

In: nothing; these are values. Out: `Group` and its rules, and their plain form for Prometheus.
Holds: an alert says what is wrong (summary), where to look (description) and leads there (link); a page wakes
somebody up, so it is about what users feel or about to; everything else is a ticket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["page", "ticket", "none"]
FRESH_S = 25
"""A sample older than this tells nothing of now: Prometheus would go on showing it for five minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A series that is computed once and read often."""

    name: str
    """level:metric:operation."""
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """What somebody is told."""

    name: str
    expr: str
    lasting_s: int
    """How long it must hold."""
    severity: Severity
    summary: str
    look: str
    """Where to look first."""
    anchor: str
    """Part of the dashboard."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rules that are computed one after the other, at the same time."""

    name: str
    rules: tuple[Record | Alert, ...]
    every_s: int | None = None
    """None: as often as the others."""


def fresh(selector: str) -> str:
    """The series of a selector whose newest sample is of now."""
    return f"({selector} and (time() - timestamp({selector}) < {FRESH_S}))"


def to_plain(group: Group, dashboard: str) -> dict[str, Any]:
    """As Prometheus reads it. `dashboard`: URL, without a slash at its end."""
    interval = {"interval": f"{group.every_s}s"} if group.every_s else {}
    return {"name": group.name, **interval, "rules": [_rule(rule, dashboard) for rule in group.rules]}


def _rule(rule: Record | Alert, dashboard: str) -> dict[str, Any]:
    if isinstance(rule, Record):
        return {"record": rule.name, "expr": rule.expr, **({"labels": dict(rule.labels)} if rule.labels else {})}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **({"for": f"{rule.lasting_s}s"} if rule.lasting_s else {}),
        "labels": {"severity": rule.severity, **rule.labels},
        "annotations": {
            "summary": rule.summary,
            "description": f"Look at: {rule.look}",
            "link": f"{dashboard}/#{rule.anchor}",
        },
    }
