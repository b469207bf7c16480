"""`bastide verify`: each claim about the running system, tested, with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    from bastide.verify.claims import Check


@click.command("verify")
@with_options
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every proof.")
@click.option("--quick", is_flag=True, help="Knock at the ports that matter and 1,024 others, not at all 65,535.")
@click.option("--all", "show_all", is_flag=True, help="List what was proven too.")
def command(options: Options, checks: tuple[str, ...], as_json: bool, quick: bool, show_all: bool) -> int:
    """Attack the running system without harming it, and say what holds.

    CHECK is a family (walls, wires, tls, edge, database, hosts, redundancy, monitoring) or a check's name or its
    beginning (walls.in.db1); without any, all families are tested.
    Exit code 3 when a claim failed.
    """
    from bastide.apply.journal import current_user
    from bastide.cli.progress import Progress
    from bastide.project.verifying import set_scene, verify_target
    from bastide.verify.run import families_of

    families_of(checks)
    progress = Progress(options.progress)
    scene = set_scene(options.chosen_target(), checks, quick=quick, say=progress.say)
    made: list[Check] = []
    for families, found in verify_target(scene, current_user()):
        with progress.step(", ".join(families)):
            for check in found:
                made.append(check)
                if check.result == "failed":
                    progress.note(f"  ✗ {check.id}: {check.claim}")
    if as_json:
        print_json({"version": 1, "checks": [check.to_json() for check in made]})
    else:
        _print(made, show_all)
    return 3 if any(check.result == "failed" for check in made) else 0


_LONG = ("ways", "from", "ports", "listens")
"""Parts of proofs that say what held; `--json` shows them."""


def _print(made: list[Check], show_all: bool) -> None:
    from collections import Counter

    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    marks = {"proven": "[green]✓[/]", "failed": "[bold red]✗[/]", "not_tested": "[yellow]?[/]"}
    for check in made:
        if check.result != "proven" or show_all:
            console.print(f"{marks[check.result]} {check.id}: {check.claim}")
        if check.result == "not_tested":
            console.print(f"    not tested: {check.proof['reason']}", markup=False)
        elif check.result == "failed":
            for line in _proof_lines(check):
                console.print(f"    {line}", markup=False)
    count = Counter(check.result for check in made)
    console.print(
        f"{count['proven']} proven, {count['failed']} failed, {count['not_tested']} not tested", markup=False
    )
    if count["failed"]:
        first = next(check.id for check in made if check.result == "failed")
        console.print(f"next: bastide verify --json {first} shows the whole proof", markup=False)


def _proof_lines(check: Check) -> list[str]:
    lines = []
    telling = {name: value for name, value in check.proof.items() if name not in _LONG}
    for name, value in telling.items():
        if isinstance(value, list | tuple):
            lines += [f"{name}: {item}" for item in value[:6]]
            lines += [f"{name}: and {len(value) - 6} more"] if len(value) > 6 else []
        else:
            lines.append(f"{name}: {value}"[:300])
    return lines
