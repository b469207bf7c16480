"""Running scenarios one after the other, and showing what came of them: failures first, then what to do next.

In: Ground, Scenarios. Out: rows of JSON and the exit code; tables on stdout, progress on stderr.
"""

from __future__ import annotations

import secrets
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table

from bastide.cli.progress import Progress
from bastide.drill.campaign import CampaignFile, choose_next, distributions, pool_names
from bastide.drill.chosen import choose_scenarios, known_scenarios
from bastide.drill.ground import Ground, ShellFailed
from bastide.drill.load import Site
from bastide.drill.outcome import Outcome, untested_row
from bastide.drill.refusals import FaultRefused, FaultWithoutEffect
from bastide.drill.report import render_report
from bastide.drill.run import run_scenario
from bastide.drill.scenario import Scenario
from bastide.drill.series import derive_series
from bastide.project.described import describe_project
from bastide.project.opening import Project
from bastide.spec.failover import is_automatic
from bastide.spec.values import parse_duration
from bastide.verify.asking import AskFailed

_MARKS = {"met": "✓", "failed": "✗", "not_tested": "?"}
_ORDER = {"failed": 0, "not_tested": 1, "met": 2}


@dataclass(kw_only=True)
class Running:
    """What all scenarios of one call share, and what they left for the report."""

    ground: Ground
    mode: Literal["auto", "tty", "plain", "quiet"]
    path: str
    report: Path | None
    hold_s: float | None = None
    """Instead of what the scenarios say."""
    alone: bool = False
    """There is one scenario: where its fault cannot be made here, that is the answer, not a row among others."""
    series: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: Outcome | None = None
    """Of the scenario before; None after one that came to nothing."""

    def run(self, scenario: Scenario, progress: Progress, label: str) -> dict[str, Any]:
        """One scenario; its row."""
        ground = replace(self.ground, say=progress.say)
        if self.hold_s is not None:
            scenario = replace(scenario, hold_s=self.hold_s)
        try:
            with progress.step(f"{label} {scenario.name}"):
                last, self.last = self.last, None
                outcome = self.last = run_scenario(ground, scenario, _site(ground, self.path), last)
        except FaultRefused as refused:
            if self.alone:
                raise
            row = untested_row(scenario, f"{refused}; {refused.hint}")
        except (FaultWithoutEffect, ShellFailed, AskFailed) as failure:
            # What was broken was put back before this came here.
            row = untested_row(scenario, str(failure))
        else:
            row = outcome.to_json()
            self._remember(outcome)
        progress.note(f"  {_MARKS[row['verdict']]} {sentence(row)}")
        return row

    def write(self, rows: Sequence[dict[str, Any]], seed: int) -> None:
        """The report so far."""
        if self.report is None:
            return
        text = render_report(
            rows, self.series,
            name=self.ground.topology.name, when=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            command=shlex.join(["bastide", *sys.argv[1:]]), seed=seed,
        )  # fmt: skip
        draft = self.report.with_name(f".{self.report.name}.new")
        draft.write_text(text)
        draft.replace(self.report)

    def _remember(self, outcome: Outcome) -> None:
        if self.report is not None:
            self.series.pop(outcome.scenario.name, None)
            self.series[outcome.scenario.name] = derive_series(outcome)


def seconds_of(option: str, text: str | None) -> float | None:
    """An option's time. Raises UsageError."""
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from error


def drill_scenarios(running: Running, scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    """Each in turn."""
    progress, rows = Progress(running.mode), []
    running.alone = len(scenarios) == 1
    for number, scenario in enumerate(scenarios, 1):
        rows.append(running.run(scenario, progress, f"{number}/{len(scenarios)}"))
        running.write(rows, 0)
    return rows


def run_campaign(
    running: Running, pool: Sequence[Scenario], faults: int | None, lasting: str | None, seed: int | None
) -> tuple[list[dict[str, Any]], int]:
    """Random faults; all rows, those of earlier runs with the same seed included, and the seed."""
    if faults is None and lasting is None:
        raise click.UsageError("a campaign needs an end: --faults 1000, or --for 1h")
    lasts_s = seconds_of("--for", lasting)
    until = None if lasts_s is None else time.monotonic() + lasts_s
    ground, progress = running.ground, Progress(running.mode)
    seed = seed or secrets.randbelow(10**6) + 1
    if not pool:
        names = pool_names(ground.topology, automatic=is_automatic(ground.target.spec))
        pool = choose_scenarios(names, ground.topology, folder=ground.target.base / "drills")
    kept = CampaignFile(ground.target.state, seed, pool)
    rows = kept.read()
    progress.note(f"seed {seed}; {len(rows)} faults so far; interrupt at will, the same seed goes on")
    while (faults is None or len(rows) < faults) and (until is None or time.monotonic() < until):
        scenario = choose_next(pool, seed, len(rows))
        row = running.run(scenario, progress, f"{len(rows) + 1}/{faults or '…'}")
        kept.add(row)
        rows.append(row)
        running.write(rows, seed)
    return rows, seed


def _site(ground: Ground, path: str) -> Site:
    """What visitors ask for: the lab's client resolves the domain and trusts the root; this computer may do neither."""
    domain = ground.topology.domains[-1 if ground.lab else 0]
    ca = ground.target.ca
    own = ground.target.client is None and ca.exists()
    return Site(domain=domain, path=path, address=None, ca=ca.read_text() if own else None)


def sentence(row: dict[str, Any]) -> str:
    """What came of one scenario, in a line."""
    lost = (
        f"{row['lost']} of {row['acknowledged']} acknowledged writes lost"
        if row["acknowledged"]
        else "nothing was written"
    )
    said = f"{_outage('reads', row['outage_read_s'])}, {_outage('writes', row['outage_write_s'])}, "
    said += f"{row['failed']} of {row['requests']} requests failed, {lost}"
    return f"{said}: {'; '.join(row['reasons'])}" if row["reasons"] else said


def _outage(what: str, seconds: float | None) -> str:
    return f"{what} went on" if not seconds else f"no {what} for {_span(seconds)}"


def print_results(rows: Sequence[dict[str, Any]], *, campaign: bool, seed: int) -> None:
    """The table, failures first, and what to do next."""
    console = Console(highlight=False, soft_wrap=True)
    wide = Console(highlight=False, width=max(console.width, 140))
    wide.print(_distributions(rows) if campaign else _table(rows))
    for row in rows:
        if row["verdict"] != "met":
            console.print(f"{_MARKS[row['verdict']]} {row['name']}: {'; '.join(row['reasons'])}", markup=False)
    count = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in _ORDER}
    console.print(
        f"{count['met']} as expected, {count['failed']} not, {count['not_tested']} not tested; "
        f"{sum(row['lost'] for row in rows)} of {sum(row['acknowledged'] for row in rows)} acknowledged writes lost"
        + (f"; seed {seed}" if campaign else ""),
        markup=False,
    )
    bad = next((row["name"] for row in rows if row["verdict"] != "met"), None)
    if bad:
        next_step = f"bastide drill '{bad}' --report drill.html shows it second by second"
    elif any("stop" in row["expected"] for row in rows):
        next_step = "bastide audit names what stops the service; bastide audit --fix removes it"
    else:
        next_step = "bastide drill --pairs, or --list for more to break"
    console.print(f"next: {next_step}", markup=False)


def print_scenarios(project: Project, asked: Sequence[str]) -> None:
    """Names and hypotheses. Names need no machine: a lab that is not raised has addresses yet to come."""
    topology, folder = describe_project(project).topology, project.base / "drills"
    known = tuple(known_scenarios(topology, folder).values())
    scenarios = choose_scenarios(asked, topology, folder=folder) if asked else known
    width = max((len(scenario.name) for scenario in scenarios), default=0)
    for scenario in scenarios:
        click.echo(f"{scenario.name:<{width}}  {scenario.proves}")


def exit_code(rows: Sequence[dict[str, Any]]) -> int:
    """3 when an expectation was not met, or could not be tested."""
    return 3 if any(row["verdict"] != "met" for row in rows) else 0


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = _columns(" fault expected", "no reads|no writes|failed|acknowledged|lost")
    for row in sorted(rows, key=lambda r: _ORDER[r["verdict"]]):
        table.add_row(
            _MARKS[row["verdict"]], row["fault"], row["expected"], _span(row["outage_read_s"]),
            _span(row["outage_write_s"]), f"{row['failed']} of {row['requests']}", str(row["acknowledged"]),
            str(row["lost"]),
        )  # fmt: skip
    return table


def _distributions(rows: Sequence[dict[str, Any]]) -> Table:
    numbers = "runs|as expected|no reads p50|p99|no writes p50|p99|failed|acknowledged|lost"
    table = _columns("scenario", numbers)
    for line in distributions(rows):
        table.add_row(
            line["name"], str(line["runs"]), str(line["met"]), _span(line["read_p50_s"]), _span(line["read_p99_s"]),
            _span(line["write_p50_s"]), _span(line["write_p99_s"]), str(line["failed"]), str(line["acknowledged"]),
            str(line["lost"]),
        )  # fmt: skip
    return table


def _columns(words: str, numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in words.split(" "):
        table.add_column(title, no_wrap=True)
    for title in numbers.split("|"):
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    return "none" if seconds == 0 else f"{seconds:.2f} s"
