"""`bastide apply`: make the hosts what the spec says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_format, with_options

if TYPE_CHECKING:
    from bastide.apply.early import EarlyConversations
    from bastide.apply.result import ApplyResult
    from bastide.cli.progress import Progress
    from bastide.project.remembered import Asked, Remembered


@click.command("apply")
@with_options
@with_format
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--only", multiple=True, metavar="HOST", help="Only this host (repeatable).")
@click.option("--allow-stale", is_flag=True, help="Go on without hosts that are away, if others stand in for them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("planfile", required=False, type=click.Path(path_type=Path, dir_okay=False))
def command(
    options: Options, as_json: bool, only: tuple[str, ...], allow_stale: bool, yes: bool, planfile: Path | None
) -> int:
    """Make the hosts what the spec says: staged, checked, switched, probed, one batch after the other.

    With a PLANFILE of `bastide plan --out`: exactly that, or nothing when the world moved since.
    """
    from bastide.apply.early import EarlyConversations
    from bastide.cli import exit_codes
    from bastide.cli.progress import Progress
    from bastide.project.remembered import Asked, recall

    if planfile is not None and only:
        raise click.UsageError("a saved plan has its hosts: leave out --only, or plan again with --only and --out")
    progress, chosen = Progress(options.progress), frozenset(only)
    asked = Asked(file=options.file, environment=options.environment, target=options.target)
    with EarlyConversations() as early:
        result = None
        known = recall(asked) if planfile is None else None
        if known is not None and chosen <= known.manifests.keys():
            # Wherever the hosts were the last time, most probably they are there: they may as well begin.
            early.begin(known.endpoints, chosen or known.endpoints)
            result = _look_again(known, chosen, early, progress) if known.holds else None
        if result is None:
            result = _apply(options, progress, asked, chosen, allow_stale, yes, planfile, early)
    if result is None:
        return 0
    if as_json:
        from bastide.apply.result import result_json

        print_json(result_json(result))
    elif result.ok and not result.changes:
        click.echo(f"no changes on {len(result.hosts) - len(result.stale)} hosts")
    elif result.ok:
        changed = sum(h.outcome == "changed" for h in result.hosts.values())
        click.echo(f"{result.changes} changes on {changed} of {len(result.hosts)} hosts")
    return exit_codes.applied(result)


def _look_again(
    known: Remembered, only: frozenset[str], early: EarlyConversations, progress: Progress
) -> ApplyResult | None:
    """Nothing that the last compilation was made of has changed: perhaps there is nothing to do."""
    from concurrent.futures import ThreadPoolExecutor

    from bastide.apply.again import see_nothing_to_do
    from bastide.apply.journal import append_journal, current_user
    from bastide.bundle.recorded import recorded_bundle
    from bastide.project.commit import spec_commit

    if (known.state / "stale.json").exists():
        return None  # there is more to say than this knows
    bundles = {host: recorded_bundle(m) for host, m in known.manifests.items() if not only or host in only}
    with ThreadPoolExecutor(max_workers=1) as pool, progress.step("look at the hosts"):
        commit = pool.submit(spec_commit, known.base)
        result = see_nothing_to_do(
            bundles, known.endpoints, early, lambda host: progress.say(f"{host}: nothing to change")
        )
        if result is not None:
            append_journal(known.state, result, who=current_user(), commit=commit.result())
    return result


def _apply(
    options: Options,
    progress: Progress,
    asked: Asked,
    only: frozenset[str],
    allow_stale: bool,
    yes: bool,
    planfile: Path | None,
    early: EarlyConversations,
) -> ApplyResult | None:
    """The whole of it; None when somebody said no."""
    import sys
    from contextlib import ExitStack

    from bastide.project.inputs import watched_inputs

    with ExitStack() as watching:
        inputs = watching.enter_context(watched_inputs())

        from bastide.cli.applying import apply_target
        from bastide.cli.hosts import check_hosts
        from bastide.project.planfile import load_plan
        from bastide.project.remembered import remember

        saved = load_plan(planfile) if planfile is not None else None
        target = options.chosen_target()
        check_hosts(target, only)
        if target.kind == "servers" and not yes and sys.stdin.isatty():
            names = ", ".join(sorted(only) or target.endpoints)
            if not click.confirm(f"Apply to the servers {names}? (bastide plan shows what would change)", err=True):
                click.echo("nothing was changed", err=True)
                return None
        result, desired = apply_target(
            target, progress, only=only, allow_stale=allow_stale, saved=saved, early=early, compiled=watching.close
        )
    if result.ok and not (target.loaded and target.loaded.warnings) and not desired.from_environment:
        remember(asked, target.state, inputs, target.endpoints, desired.bundles)
    return result
