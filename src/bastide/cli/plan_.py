"""`bastide plan`: what apply would change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bastide.cli.options import Options, print_json, with_format, with_options


@click.command("plan")
@with_options
@with_format
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="Exit 3 when there are changes.")
@click.option("--only", multiple=True, metavar="HOST", help="Only this host (repeatable).")
@click.option("--full", is_flag=True, help="Also the contents of all files on a host's first apply.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="PLANFILE",
              help="Save the plan; apply PLANFILE does exactly that, or refuses.")  # fmt: skip
def command(
    options: Options, as_json: bool, exit_code: bool, only: tuple[str, ...], full: bool, out: Path | None
) -> int:
    """Show what apply would change on which host, in which order, at which cost. Nothing is changed."""
    import os
    from datetime import UTC, datetime

    from bastide.apply.journal import current_user
    from bastide.cli.faults import tell_faults
    from bastide.cli.hosts import check_hosts
    from bastide.cli.progress import Progress
    from bastide.plan.text import format_plan
    from bastide.project.commit import spec_commit
    from bastide.project.desired import derive_desired
    from bastide.project.planfile import save_plan
    from bastide.project.planning import plan_target
    from bastide.project.refused import check_here

    target = options.chosen_target()
    check_hosts(target, only)
    progress, now = Progress(options.progress), datetime.now(UTC)
    with progress.step("compile"):
        desired = derive_desired(target, now=now, environ=os.environ, on_progress=progress.say)
    if target.loaded and options.format:
        tell_faults(check_here(target.loaded, desired.topology, desired.bundles), options.format, usable=True)
    with progress.step("look at the hosts"):
        planned = plan_target(target, desired, frozenset(only))
    for error in planned.unreachable:
        progress.note(f"error: {error}\n  {error.hint}")
    view = planned.view(target, desired, full=full)
    if as_json:
        print_json(_document(view, [error.host for error in planned.unreachable]))
    else:
        click.echo(_coloured(format_plan(view)), nl=False)
    if out is not None:
        made = now.strftime("%Y-%m-%d %H:%M:%S UTC")
        save_plan(out, target, desired, planned, made=made, who=current_user(), commit=spec_commit(target.base))
        progress.note(f"saved: bastide apply {out} does exactly this, or refuses")
    if planned.unreachable:
        return 1
    return 3 if exit_code and any(plan.changes for plan in planned.plans) else 0


def _document(view: Any, unreachable: list[str]) -> dict[str, Any]:
    from bastide.plan.text import plan_json

    document = plan_json(view)
    for host in document["hosts"]:
        host["result"] = "would change" if host["changes"] else "unchanged"
    away = [{"name": name, "changes": None, "result": "unreachable"} for name in unreachable]
    return {"version": 1, **document, "hosts": [*document["hosts"], *away]}


def _coloured(text: str) -> str:
    """Green and red as in every diff; click takes the colours out where no terminal shows them."""
    import os

    if os.environ.get("NO_COLOR"):
        return text
    return "".join(_coloured_line(line) for line in text.splitlines(keepends=True))


def _coloured_line(line: str) -> str:
    mark = line.strip()[:1]
    if line.startswith(" ") and mark in "+-~*":
        return click.style(line, fg={"+": "green", "-": "red", "~": "yellow", "*": "cyan"}.get(mark))
    return click.style(line, fg="yellow", bold=True) if line.startswith(("!", "  !", "  drift")) else line
