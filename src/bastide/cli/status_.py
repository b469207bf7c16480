"""`bastide status`: every host and service, healthy or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    from bastide.project.health import Health

_WATCH_S = 2.0


@click.command("status")
@with_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Look again every two seconds.")
def command(options: Options, as_json: bool, watch: bool) -> int:
    """Show hosts and services. Exit code 0 when all are healthy, 1 when not."""
    import time
    from concurrent.futures import ThreadPoolExecutor

    from bastide.project.health import observe_health
    from bastide.project.live import observe_live

    target = options.chosen_target()
    while True:
        with ThreadPoolExecutor(max_workers=1) as pool:
            asked = pool.submit(observe_live, target)
            health = observe_health(target)
            live = asked.result()
        if as_json:
            print_json(health.to_json() | live)
        else:
            if watch:
                click.clear()
            _print(health)
            _print_live(live)
        if not watch:
            return 0 if health.healthy else 1
        time.sleep(_WATCH_S)


def _print(health: Health) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)  # a pipe gets one line a host
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("host", "roles", "address", "services", ""):
        table.add_column(column, overflow="fold")
    for host in health.hosts:
        marks = (["virtual IP"] if host.holds_virtual_ip else []) + ([host.database] if host.database else [])
        services = " ".join(
            f"[green]✓[/]{s.name}" if s.healthy else f"[bold red]✗ {s.name}[/]"
            for s in host.services
            if s.name != "system"
        )
        reasons = "; ".join([host.reason] * bool(host.reason) + [s.reason for s in host.services if s.reason])
        marks += ["older on purpose"] * bool(host.on_purpose)
        said = reasons if not host.healthy else ", ".join(marks)
        mark = "[green]●[/]" if host.healthy else "[bold red]✗[/]"
        table.add_row(f"{mark} {host.name}", ",".join(host.roles), host.address, services, said.replace("[", "\\["))
    console.print(table)
    for purpose in dict.fromkeys(host.on_purpose for host in health.hosts if host.on_purpose):
        names = ", ".join(host.name for host in health.hosts if host.on_purpose == purpose)
        console.print(f"[yellow]{names}[/]: an older generation runs on purpose: {purpose}", soft_wrap=True)
    sick = [host.name for host in health.hosts if not host.healthy]
    console.print()
    if sick:
        console.print(f"[bold red]{len(sick)} of {len(health.hosts)} hosts unhealthy[/]: {', '.join(sick)}")
        console.print(f"next: bastide logs {sick[0]}")
    else:
        console.print(
            f"[green]all {len(health.hosts)} hosts healthy[/] · {health.url} · CA {health.ca}", soft_wrap=True
        )


def _print_live(live: dict[str, Any]) -> None:
    figures = live["live"]
    if figures is None:
        if live["live_reason"]:
            click.echo(f"no live figures: {live['live_reason']}")
        return
    click.echo(f"{figures['monitor']}, data {figures['data_age_s']} s old: {figures['verdict']['text']}")
