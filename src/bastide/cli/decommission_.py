"""`bastide decommission`: take a host that left the spec out of service."""

from __future__ import annotations

import click

from bastide.cli.options import Options, print_json, with_options


@click.command("decommission")
@with_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--confirm", "typed", metavar="HOST", help="The host's name once more, where nobody can be asked.")
@click.option("--forget", is_flag=True, help="The machine is gone: only remember it no longer.")
@click.argument("host")
def command(options: Options, as_json: bool, typed: str | None, forget: bool, host: str) -> int:
    """Take away what bastide put on a HOST that left the spec: services, files, users, rules. Data stays there."""
    import sys

    from bastide.apply.journal import current_user
    from bastide.cli.progress import Progress
    from bastide.plan.text import PlanView, format_plan
    from bastide.project.decommission import decommission_host, plan_decommission
    from bastide.project.known_hosts import departed_hosts, forget_host

    target = options.chosen_target()
    departed = departed_hosts(target)
    if host in target.spec.hosts:
        raise click.UsageError(f"'{host}' is in the spec: take it out there first, and apply")
    if host not in departed:
        raise click.UsageError(
            f"there is nothing of this project on '{host}'; left the spec: {', '.join(departed) or 'none'}"
        )
    progress = Progress(options.progress)
    if forget:
        forget_host(target, host)
        progress.note(f"{host} is remembered no longer; nothing was done on it")
        return 0
    plan = plan_decommission(departed[host])
    click.echo(format_plan(PlanView(plans=[plan], bundles={})), err=True, nl=False)
    progress.note("Databases, uploads and whatever else services wrote stay on the host.")
    if typed is None and sys.stdin.isatty():
        typed = click.prompt("Type the host's name to go on", default="", show_default=False, err=True)
    if typed != host:
        progress.note(f"nothing was changed: the name was not given (--confirm {host})")
        return 1
    decommission_host(departed[host], who=current_user(), keep=target.spec.system.generations)
    forget_host(target, host)
    if as_json:
        print_json({"version": 1, "host": host, "changes": plan.changes})
    else:
        click.echo(f"{host}: {plan.changes} things of ours are gone; data stays")
    return 0
