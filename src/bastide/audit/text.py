"""The report as text for a terminal: failures only, the summary last.

In: an audited design, as plain values. Out: rich markup-free lines with their style. Holds: every finding shows where
the spec says it, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bastide.audit.judge import Finding, Report
from bastide.audit.rule import SEVERITIES, Severity
from bastide.spec.errors import Keys

STYLES: dict[Severity, str] = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "bold yellow",
    "low": "cyan",
    "info": "dim",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report: its first part in a style, the rest plain."""

    text: str
    style: str = ""
    rest: str = ""


def report_lines(
    report: Report, *, place: Callable[[Keys], str], further: Sequence[Finding], everything: bool, fixable: str
) -> Iterator[Line]:
    """The report. `further`: what servers would add; `everything`: notes, cut sets and arithmetic too."""
    for finding in report.findings:
        yield from _finding(finding, place)
    if everything:
        for finding in report.notes:
            yield from _finding(finding, place)
        yield from _structure(report)
    for finding in report.waived:
        assert finding.waived is not None
        accepted = f"accepted until {finding.waived.until}: {finding.waived.reason}"
        yield Line(f"{'waived':<8} {finding.rule.id}", "dim", f"  {finding.element}: {finding.message}; {accepted}")
    if report.waived:
        yield Line("")
    yield from _summary(report, further, everything=everything, fixable=fixable)


def _finding(finding: Finding, place: Callable[[Keys], str]) -> Iterator[Line]:
    yield Line(
        f"{finding.severity:<8} {finding.rule.id}",
        STYLES[finding.severity],
        f"  {finding.rule.title}: {finding.element}",
    )
    yield Line("", "", f"  {finding.message}.")
    yield Line("", "", f"  fix: {finding.rule.fix}")
    yield Line(f"  {place(finding.at)}", "dim")
    yield Line("")


def _structure(report: Report) -> Iterator[Line]:
    yield Line("What stops the service", "bold")
    for cut in report.cuts:
        if cut.kind == "hosts" or cut.order == 1:
            yield Line(f"  {' + '.join(cut.elements)}", "", f": {' and '.join(cut.stops)} stop; {cut.why}")
    pairs = sum(cut.kind == "services" and cut.order == 2 for cut in report.cuts)
    if pairs:
        yield Line(f"  and {pairs} pairs of services on different hosts")
    yield Line("")
    yield Line("Predicted availability", "bold")
    for text in report.prediction.arithmetic:
        yield Line(f"  {text}")
    yield Line("")


def _summary(report: Report, further: Sequence[Finding], *, everything: bool, fixable: str) -> Iterator[Line]:
    points = [cut.elements[0] for cut in report.single_points if cut.kind == "hosts"]
    if points:
        yield Line("single points of failure: ", "", ", ".join(points))
    else:
        yield Line("single points of failure: none", "")
    yield Line("predicted availability: ", "", f"{report.prediction.writes:.4%} (bastide audit --all shows how)")
    if further:
        ids = ", ".join(dict.fromkeys(finding.rule.id for finding in further))
        yield Line(
            "on servers of your own ",
            "",
            f"{len(further)} more would be found: {ids} (bastide audit --target servers)",
        )
    counts = [f"{n} {s}" for s in SEVERITIES if (n := sum(f.severity == s for f in report.findings))]
    rest = [f"{len(report.waived)} waived"] if report.waived else []
    rest += [f"{len(report.notes)} notes (--all)"] if report.notes and not everything else []
    what = ", ".join([*counts, *rest]) or "nothing found"
    yield Line(f"grade {report.grade.letter}", "bold", f" · {what} · {report.rules} rules · {report.grade.reason}")
    if fixable:
        yield Line(fixable)
