"""`bastide top`: what every tier does right now, as a monitor hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bastide.cli.options import Options, with_options

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {"fresh": "[green]●[/]", "stale": "[yellow]◐[/]", "dead": "[bold red]✗[/]", "unseen": "[dim]○[/]"}
_COLOURS = {"ok": "green", "warn": "yellow", "bad": "bold red"}


@click.command("top")
@with_options
@click.option("--once", is_flag=True, help="Print one state and end.")
@click.option("--json", "as_json", is_flag=True, help="Print each state as a line of JSON.")
def command(options: Options, once: bool, as_json: bool) -> int:
    """Show requests, errors, latencies and load, live. Without a terminal: plain lines, one a tier and second."""
    import json

    from rich.console import Console
    from rich.live import Live

    from bastide.project.monitoring import ask_hub, watch_hub

    target = options.chosen_target()
    console = Console(highlight=False)
    states = iter([ask_hub(target, "state")[1]]) if once else watch_hub(target)
    try:
        if as_json:
            for state in states:
                click.echo(json.dumps(state))
        elif not console.is_terminal:
            for state in states:
                for line in plain_lines(state):
                    click.echo(line)
        elif once:
            console.print(_screen(next(states)))
        else:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                for state in states:
                    live.update(_screen(state), refresh=True)
    except KeyboardInterrupt:
        return 0
    return 0


def plain_lines(state: dict[str, Any]) -> list[str]:
    """The verdict, a line a tier, a line a host."""
    from datetime import datetime

    when = datetime.fromtimestamp(state["t"]).strftime("%H:%M:%S")
    lines = [f"{when} {state['verdict']['level']}: {state['verdict']['text']} (data {state['data_age_s']} s old)"]
    for name, figures in state["services"].items():
        latency = " ".join(f"{p} {ms(figures[f'{p}_ms'])}" for p in ("p50", "p95", "p99"))
        lines.append(f"{when} tier {name}: {figures['rate']:g}/s, {figures['errors']:g} errors/s, {latency}")
    for host in state["hosts"]:
        lines.append(f"{when} host {host['name']}: {' '.join(word for word in _host_words(host) if word)}")
    return lines


def ms(value: float | None) -> str:
    """A latency for people."""
    return "–" if value is None else f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def _host_words(host: dict[str, Any]) -> list[str]:
    gauges = host["gauges"]
    return [
        host["state"],
        "" if host["age_s"] is None else f"{host['age_s']:.1f} s",
        f"cpu {gauges['cpu']:.0%}" if "cpu" in gauges else "",
        f"load {gauges['load1']:.2f}" if "load1" in gauges else "",
        f"memory {gauges['memory']:.0%}" if "memory" in gauges else "",
        f"disk {gauges['disk']:.0%}" if "disk" in gauges else "",
        *_marks(host),
    ]


def _marks(host: dict[str, Any]) -> list[str]:
    marks = ["virtual IP"] if host["vip"] else []
    if host["database"]:
        behind = host["database"] == "replica" and host["lag_s"] is not None
        marks.append(f"{host['database']} {host['lag_s']:.1f} s behind" if behind else host["database"])
    return marks + [f"{unit} failed" for unit in host["failed_units"]]


def _screen(state: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    verdict = state["verdict"]
    tiers = Table(box=None, pad_edge=False, header_style="dim")
    hosts = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("tier", "requests/s", "errors/s", "p50", "p95", "p99"):
        tiers.add_column(column, justify="left" if column == "tier" else "right", min_width=10)
    for name, f in state["services"].items():
        errors = f"[bold red]{f['errors']:g}[/]" if f["errors"] else "0"
        tiers.add_row(name, f"{f['rate']:.1f}", errors, ms(f["p50_ms"]), ms(f["p95_ms"]), ms(f["p99_ms"]))
    for column in ("host", "age", "cpu", "load", "memory", "disk", "requests/s", ""):
        hosts.add_column(column, justify="left" if column in ("host", "") else "right")
    for host in state["hosts"]:
        g = host["gauges"]
        rates = " ".join(f"{name} {f['rate']:.1f}" for name, f in host["services"].items())
        hosts.add_row(
            f"{_MARKS[host['state']]} {escape(host['name'])}",
            "–" if host["age_s"] is None else f"{host['age_s']:.1f} s",
            f"{g['cpu']:.0%}" if "cpu" in g else "",
            f"{g['load1']:.2f}" if "load1" in g else "",
            f"{g['memory']:.0%}" if "memory" in g else "",
            f"{g['disk']:.0%}" if "disk" in g else "",
            rates,
            escape(", ".join(_marks(host))),
        )
    age = f"  [dim]data {state['data_age_s']} s old, from {escape(state['monitor'])}[/]"
    headline = Text.from_markup(f"[{_COLOURS[verdict['level']]}]{escape(verdict['text'])}[/]{age}")
    return Group(headline, Text(), tiers, Text(), hosts, Text("Ctrl-C ends", style="dim"))
