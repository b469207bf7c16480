"""One measured figure, and the table of them.

In: figures. Out: text for people, or plain JSON values. Holds: a figure that has a target says whether it was met.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What was measured, and how to measure it again."""

    name: str
    value: float
    unit: str
    command: str
    """The command line whose figure it is."""
    at_most: float | None = None
    at_least: float | None = None
    proof: bool = False
    """Missing the target fails the run; otherwise the target is an aim, which a busy computer may miss."""

    @property
    def met(self) -> bool:
        """Whether the target was met; True without one."""
        over = self.at_most is not None and self.value > self.at_most
        return not over and not (self.at_least is not None and self.value < self.at_least)

    @property
    def target(self) -> str:
        """The target in words."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"


def print_table(figures: Iterable[Figure]) -> str:
    """Aligned columns; commands below, each once, numbered."""
    rows = list(figures)
    commands = list(dict.fromkeys(figure.command for figure in rows))
    name = max((len(f.name) for f in rows), default=0)
    unit = max((len(f.unit) for f in rows), default=0)
    lines = []
    for f in rows:
        mark = "" if not f.target else "met" if f.met else "FAILED" if f.proof else "missed"
        number = commands.index(f.command) + 1
        lines.append(
            f"{f.name:<{name}}  {_number(f.value):>10} {f.unit:<{unit}}  {f.target:<8} {mark:<7} [{number}]"
        )
    lines += ["", *(f"[{number}] {command}" for number, command in enumerate(commands, start=1))]
    return "\n".join(lines)


def to_json(figures: Iterable[Figure]) -> list[dict[str, object]]:
    """Plain values."""
    return [{**asdict(f), "met": f.met} for f in figures]


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
