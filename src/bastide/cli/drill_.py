"""`bastide drill`: break the running system under load, and count what was lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    from bastide.drill.ground import Ground
    from bastide.project.target import Target


@click.command("drill")
@with_options
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option("--list", "listed", is_flag=True, help="Name the scenarios, and do nothing.")
@click.option("--pairs", is_flag=True, help="Each pair of hosts at once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all evidence.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a report, one HTML file.")
@click.option("--path", default="/", show_default=True, help="Path of a page of yours that visitors read.")
@click.option(
    "--campaign", is_flag=True, help="Random faults of those named (or of many), until --faults or --for."
)
@click.option(
    "--faults", type=click.IntRange(min=1), help="Of a campaign: how many, those of earlier runs included."
)
@click.option("--for", "lasting", metavar="TIME", help="Of a campaign: begin no fault after that, such as 1h.")
@click.option("--seed", type=click.IntRange(min=1), help="Of a campaign: the same seed goes on where it was.")
@click.option("--hold", metavar="TIME", help="How long each fault lasts at least, such as 3s.")
@click.option("--restore", is_flag=True, help="Put back what a killed drill left broken, and do no more.")
@click.option(
    "--on-servers", is_flag=True, help="On your own servers (services, reboots); asks for the project's name."
)
def command(
    options: Options, scenarios: tuple[str, ...], listed: bool, pairs: bool, as_json: bool, report: Path | None,
    path: str, campaign: bool, faults: int | None, lasting: str | None, seed: int | None,
    hold: str | None, restore: bool, on_servers: bool,
) -> int:  # fmt: skip
    """Break a part of the running system under load, see whether what audit predicts is what happens, put it back.

    SCENARIO is a name or pattern that --list shows ('freeze:*'), KIND:HOST, KIND:HOST/SERVICE, or KIND:ONE+OTHER; without
    any, each host in turn loses its power. Every write carries an id: none that was acknowledged may be missing after.
    Exit code 3 when an expectation was not met.
    """
    from bastide.cli import drilling
    from bastide.drill.chosen import choose_scenarios
    from bastide.drill.journal import one_at_a_time
    from bastide.drill.outcome import results_json
    from bastide.drill.restore import restore_left
    from bastide.drill.run import terminated_as_interrupted
    from bastide.project.described import describe_project

    if not campaign and (faults or lasting or seed):
        raise click.UsageError("--faults, --for and --seed belong to --campaign")
    hold_s = drilling.seconds_of("--hold", hold)
    project = options.project()
    if listed:
        drilling.print_scenarios(project, scenarios)
        return 0
    # A wrong name is told before there is a machine; who is where is asked of the target below.
    choose_scenarios(scenarios, describe_project(project).topology, folder=project.base / "drills", pairs=pairs)
    target = options.chosen_target()
    ground = _ground(target, project.lab_name)
    chosen = choose_scenarios(scenarios, ground.topology, folder=target.base / "drills", pairs=pairs)
    if target.kind == "servers":
        _agree(target.spec.name, on_servers)
    running = drilling.Running(ground=ground, mode=options.progress, path=path, report=report, hold_s=hold_s)
    with one_at_a_time(target.state), terminated_as_interrupted():
        left = restore_left(ground)
        if restore:
            click.echo(f"put back: {left}" if left else "nothing was left broken", err=True)
            return 0
        if campaign:
            rows, seed = drilling.run_campaign(running, chosen if scenarios or pairs else (), faults, lasting, seed)
        else:
            rows = drilling.drill_scenarios(running, chosen)
    if as_json:
        from bastide.drill.campaign import distributions

        more = {"distributions": distributions(rows)} if campaign else {}
        print_json(results_json(rows, seed or 0, **more))
    else:
        drilling.print_results(rows, campaign=campaign, seed=seed or 0)
    return drilling.exit_code(rows)


def _ground(target: Target, lab: str) -> Ground:
    from bastide.drill.ground import Ground
    from bastide.topology.resolve import resolve_topology

    topology = resolve_topology(target.spec)
    return Ground(target=target, topology=topology, lab=lab if target.kind == "lab" else None)


def _agree(name: str, on_servers: bool) -> None:
    """Servers are broken only by someone who says so twice."""
    if not on_servers:
        raise click.UsageError(
            "these are servers, and a drill breaks them: add --on-servers, or raise a lab: bastide up"
        )
    typed = click.prompt(f"This breaks services of {name} while visitors use it. Type its name to go on", err=True)
    if typed != name:
        raise click.UsageError(f"that is not {name}: nothing was touched")
