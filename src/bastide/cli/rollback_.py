"""`bastide rollback`: hosts as an earlier apply left them."""

from __future__ import annotations

import click

from bastide.cli.options import Options, print_json, with_options


@click.command("rollback")
@with_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--to", "number", type=click.IntRange(min=0), metavar="N",
              help="As apply N left them (see bastide history); without it, the newest apply is undone.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
def command(
    options: Options, as_json: bool, number: int | None, dry_run: bool, yes: bool, hosts: tuple[str, ...]
) -> int:
    """Bring hosts back to how an earlier apply left them, in the order and with the checks of an apply.

    Data is never touched. The spec is not either: change it, or the next apply goes forward again.
    """
    import sys
    from dataclasses import replace
    from datetime import UTC, datetime

    from bastide.apply.journal import current_user
    from bastide.apply.result import result_json
    from bastide.cli import exit_codes
    from bastide.cli.applying import apply_settings, run_apply
    from bastide.cli.hosts import check_hosts
    from bastide.cli.progress import Progress
    from bastide.plan.text import format_plan
    from bastide.project.commit import spec_commit
    from bastide.project.members import database_members, find_primary
    from bastide.project.planning import view_of_return
    from bastide.project.rollback import find_return
    from bastide.topology.resolve import resolve_topology

    target = options.chosen_target()
    check_hosts(target, hosts)
    progress, topology = Progress(options.progress), resolve_topology(target.spec)
    with progress.step("ask what the hosts keep"):
        found = find_return(target, number, frozenset(hosts))
        primary = find_primary(database_members(target, topology))
    click.echo(format_plan(view_of_return(found, topology, primary)), err=as_json, nl=False)
    if dry_run:
        return 0
    names = ", ".join(found.bundles)
    question = f"Go back from apply {found.undoes} to how apply {found.number} left {names}?"
    if not yes and sys.stdin.isatty() and not click.confirm(question, err=True):
        progress.note("nothing was changed")
        return 0
    who, now = current_user(), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    settings = replace(
        apply_settings(target),
        commit=spec_commit(target.base),
        operation="rollback",
        numbers=found.numbers,
        on_purpose=f"{who} went back from apply {found.undoes} to {found.number} at {now}",
    )
    result = run_apply(
        target, progress, found.bundles, topology, only=frozenset(found.bundles), primary=primary, settings=settings
    )
    if as_json:
        print_json({**result_json(result), "to": found.number})
    elif result.ok:
        click.echo(f"{names}: as apply {found.number} left them; the spec is unchanged")
    return exit_codes.applied(result)
