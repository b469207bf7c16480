"""The report: one HTML file that needs nothing else, readable for someone who is not an engineer.

In: rows of JSON, their series, what was drilled and when. Out: the text of the file.
Holds: nothing is loaded from anywhere; text from the system is escaped; it reads without scripts, plots aside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from bastide.drill.campaign import distributions

_WORDS = {"met": "as expected", "failed": "not as expected", "not_tested": "not tested"}


def render_report(
    rows: Sequence[Mapping[str, Any]], series: Mapping[str, Mapping[str, Any]], *, name: str, when: str, command: str,
    seed: int,
) -> str:  # fmt: skip
    """The whole file. `series`: by scenario name, as `derive_series` gives them, of the newest run. With a seed it is a
    campaign's: distributions, and of single runs those that failed and the newest ones."""
    here, vendor = files("bastide.drill"), files("bastide.hub") / "web" / "vendor"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    order = {"failed": 0, "not_tested": 1, "met": 2}
    newest = {row["name"]: row for row in rows}
    shown = [r for r in rows if not seed or r["verdict"] != "met" or newest[r["name"]] is r]
    ordered = sorted(shown, key=lambda row: order[row["verdict"]])
    return environment.from_string((here / "report.html.j2").read_text()).render(
        name=name, when=when, command=command, seed=seed,
        rows=[
            {**row, "word": _WORDS[row["verdict"]], "anchor": f"run-{number}", "plotted": newest[row["name"]] is row}
            for number, row in enumerate(ordered)
        ],
        verdict=_verdict(rows), faults=len(rows), distributions=distributions(rows) if seed else [],
        good=all(row["verdict"] == "met" for row in rows),
        lost=sum(row["lost"] for row in rows),
        acknowledged=sum(row["acknowledged"] for row in rows),
        requests=sum(row["requests"] for row in rows),
        failed=sum(row["failed"] for row in rows),
        two_writers=sum(row["two_writers_s"] for row in rows),
        plot_script=(vendor / "uPlot.min.js").read_text(),
        plot_style=(vendor / "uPlot.min.css").read_text(),
        script=(here / "report.js").read_text(),
        # `</` would end the script element whatever stands around it.
        data=json.dumps(series, separators=(",", ":")).replace("</", "<\\/"),
        span=_span,
        pretty=lambda value: json.dumps(value, indent=1, default=str),
    )  # fmt: skip


def _verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    bad = [row for row in rows if row["verdict"] == "failed"]
    untested = sum(row["verdict"] == "not_tested" for row in rows)
    said = f"{len(rows) - len(bad) - untested} of {len(rows)} faults did what was expected"
    if bad:
        said += f"; {len(bad)} did not"
    return f"{said}; {untested} could not be tested" if untested else said


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    return "none" if seconds == 0 else f"{seconds:.2f} s"
