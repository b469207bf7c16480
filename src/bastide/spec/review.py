"""The sections of a spec by which a design is judged: known weaknesses that are accepted, figures of failure.

Every field's docstring is its documentation: the reference page and the JSON schema are generated from it.
"""

from __future__ import annotations

from bastide.spec.values import Day, Duration, Line, Model, Percentage, RuleId


class Waiver(Model):
    """A finding of audit that is known and accepted, until a day."""

    rule: RuleId
    """Id of the rule, such as `AVA002`."""
    element: Line | None = None
    """Only for this element, as audit names it; by default for every one that the rule finds."""
    reason: Line
    """Why it is accepted; audit shows it."""
    until: Day
    """Last day on which it is accepted, such as 2027-03-31; after it the waiver is a finding itself."""


class Audit(Model):
    """How `bastide audit` judges this infrastructure."""

    waive: tuple[Waiver, ...] = ()
    """Findings that are accepted, each with a reason and a last day."""


class Repair(Model):
    """How often something fails, and how long it stays away."""

    mtbf: Duration
    """Mean time between failures."""
    mttr: Duration
    """Mean time to repair, from the failure until it serves again."""


_DAY, _HOUR = 86400.0, 3600.0


class Availability(Model):
    """Figures from which availability is predicted: of a machine, and of what each role adds to it."""

    target: Percentage | None = None
    """Share of time that requests are to be answered, such as `99.95%`; audit compares it with the prediction."""
    host: Repair = Repair(mtbf=365 * _DAY, mttr=4 * _HOUR)
    """A machine, with its power, its network and its operating system."""
    balancer: Repair = Repair(mtbf=365 * _DAY, mttr=_HOUR)
    """The balancer's software and configuration."""
    web: Repair = Repair(mtbf=365 * _DAY, mttr=_HOUR)
    """The web server's software and configuration."""
    app: Repair = Repair(mtbf=30 * _DAY, mttr=_HOUR / 2)
    """Your application: what a release breaks on one host."""
    database: Repair = Repair(mtbf=180 * _DAY, mttr=2 * _HOUR)
    """The database server; without automatic takeover a person repairs it."""
    witness: Repair = Repair(mtbf=365 * _DAY, mttr=_HOUR)
    """A voter on which database is the primary."""
