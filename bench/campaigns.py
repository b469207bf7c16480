"""Rows of drill campaigns, one line a fault, and the table over several of them, each kind of fault beside its aim.

In: campaign-SEED.jsonl as `bastide drill --campaign` keeps it beside a spec. Out: CSV with what counts; Markdown.
Holds: nothing is left out: whatever was not met, or not tested, is a row, and is named under the table.

    python -m bench.campaigns rows .bastide/lab/drill/campaign-3.jsonl > docs/campaign/seed-3.csv
    python -m bench.campaigns table docs/campaign/*.csv
    python -m bench.campaigns page docs/campaign/README.md        its tables anew
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from bastide.drill.campaign import distributions

COLUMNS = (
    "began", "name", "fault", "verdict", "outage_read_s", "outage_write_s", "requests", "failed", "acknowledged",
    "unknown", "lost", "duplicated", "refused_but_present", "two_writers_s", "held_s", "restored_s",
)  # fmt: skip
_PLACE = re.compile(r"(?P<begin><!-- table: (?P<pattern>\S+) -->)\n.*?<!-- end -->", re.DOTALL)
_WORDS = frozenset({"began", "name", "fault", "verdict"})


@dataclass(frozen=True, slots=True)
class Aim:
    """What a kind of fault is to cost: seconds without writes (or without reads), median and 99 of 100."""

    outage: Literal["read", "write"]
    p50_s: float
    p99_s: float


AIMS = {
    "crash:primary/mariadb": Aim("write", 0.6, 1.5),
    "freeze:primary/mariadb": Aim("write", 3.0, 5.0),
    "kill:primary": Aim("write", 5.0, 7.0),
    "freeze:primary": Aim("write", 5.0, 7.0),
    "cut:primary": Aim("write", 5.0, 7.0),
    "switchover": Aim("write", 0.1, 0.5),
    "kill:active-balancer": Aim("read", 0.5, 1.0),
}

NONE_FAILED = frozenset({"kill:web1", "kill:app1"})
"""Whoever asks only to read is not to notice these."""


def take_rows(campaign: Path) -> Iterator[dict[str, Any]]:
    """What counts of every fault, in order; times of day in UTC."""
    for line in campaign.read_text().splitlines():
        row = json.loads(line)
        if "pool" not in row:
            began = datetime.fromtimestamp(row["began"], UTC).strftime("%Y-%m-%d %H:%M:%S")
            yield {key: row[key] for key in COLUMNS} | {"began": began}


def write_csv(rows: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    """One line a fault."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, Any]]:
    """The same rows, numbers as numbers; what was not measured is None."""
    with path.open(newline="") as file:
        return [
            {key: text if key in _WORDS else json.loads(text) if text else None for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a line for every kind of fault, the sum, and whatever did not do what was expected."""
    heads = ("fault", "times", "as expected", "no writes: p50, p99, longest", "no reads: p50, p99, longest", "aim",
             "requests, failed", "acknowledged writes, lost")  # fmt: skip
    lines: list[Sequence[str]] = [heads, ["---"] * len(heads)]
    for of in sorted(distributions(rows), key=_place):
        name = of["name"]
        times = [row for row in rows if row["name"] == name]
        lines.append((
            f"`{name}`", str(len(times)), str(of["met"]), _spans(times, "write"), _spans(times, "read"), _aim(name, of),
            *_sums(times),
        ))  # fmt: skip
    met = sum(row["verdict"] == "met" for row in rows)
    lines.append(("**all**", f"**{len(rows):,}**", f"**{met:,}**", "", "", "", *_sums(rows)))
    said = []
    if any(row["acknowledged"] for row in rows):
        two, present = (sum(row[key] for row in rows) for key in ("two_writers_s", "refused_but_present"))
        said.append(
            f"Time in which two servers took writes: {_nothing(two)} s. Refused and yet there: {_nothing(present)}."
        )
    said += [
        f"- not met: `{row['name']}` at {row['began']} ({row['verdict']})"
        for row in rows
        if row["verdict"] != "met"
    ]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", *said, ""])


def _place(line: Mapping[str, Any]) -> int:
    """Kinds that have an aim first, in the order of the aims."""
    return list(AIMS).index(line["name"]) if line["name"] in AIMS else len(AIMS)


def _sums(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    requests, failed, acknowledged, lost, doubled = (
        sum(row[key] for row in rows) for key in ("requests", "failed", "acknowledged", "lost", "duplicated")
    )
    written = f"{acknowledged:,}, {_nothing(lost + doubled)}" if acknowledged else "—"
    return f"{requests:,}, {failed:,}", written


def page(path: Path) -> str:
    """The page with every table anew: each stands between `<!-- table: PATTERN -->` and `<!-- end -->`."""

    def fill(place: re.Match[str]) -> str:
        rows = [row for file in sorted(path.parent.glob(place["pattern"])) for row in read_csv(file)]
        return f"{place['begin']}\n{table(rows)}<!-- end -->"

    return _PLACE.sub(fill, path.read_text())


def _spans(rows: Sequence[Mapping[str, Any]], kind: str) -> str:
    of = distributions([dict(row, name="all") for row in rows])[0]
    spans = [row[f"outage_{kind}_s"] for row in rows if row[f"outage_{kind}_s"] is not None]
    if of[f"{kind}_p50_s"] is None:
        return "—"
    return f"{of[f'{kind}_p50_s']:.2f}, {of[f'{kind}_p99_s']:.2f}, {max(spans):.2f} s"


def _aim(name: str, of: Mapping[str, Any]) -> str:
    aim = AIMS.get(name)
    if name in NONE_FAILED:
        return "none failed" + (": **missed**" if of["failed"] else "")
    if aim is None:
        return ""
    met = of[f"{aim.outage}_p50_s"] <= aim.p50_s and of[f"{aim.outage}_p99_s"] <= aim.p99_s
    return f"{aim.p50_s:g}, {aim.p99_s:g} s" + ("" if met else ": **missed**")


def _nothing(number: float) -> str:
    return "**0**" if number == 0 else f"**{number:g}!**"


def main(argv: Sequence[str]) -> None:
    """As told above."""
    match argv:
        case ["rows", path]:
            write_csv(take_rows(Path(path)), sys.stdout)
        case ["table", *paths] if paths:
            sys.stdout.write(table([row for path in paths for row in read_csv(Path(path))]))
        case ["page", path]:
            Path(path).write_text(page(Path(path)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
