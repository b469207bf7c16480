"""`bastide audit`: the weaknesses of the design, before it is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bastide.cli.options import Options, print_json, with_format, with_options

if TYPE_CHECKING:
    from bastide.audit.document import Place
    from bastide.audit.rule import Severity
    from bastide.project.auditing import Audited
    from bastide.spec.errors import Keys


@click.command("audit")
@with_options
@with_format
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0, for code hosts and editors.")
@click.option("--fail-on", type=click.Choice(["critical", "high", "medium", "low", "info", "never"]), default="medium",
              show_default=True, help="Exit 3 on findings of this severity or worse.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Notes, cut sets and the arithmetic of availability too.")
@click.option("--fix", is_flag=True, help="Edit the spec until nothing is found that an edit removes; asks first.")
@click.option("--yes", is_flag=True, help="With --fix: do not ask.")
def command(
    options: Options,
    as_json: bool,
    as_sarif: bool,
    fail_on: Literal["critical", "high", "medium", "low", "info", "never"],
    everything: bool,
    fix: bool,
    yes: bool,
) -> int:
    """Find the weaknesses of the design. No host is asked, and nothing runs."""
    from datetime import UTC, datetime

    from bastide.project.auditing import audit_project

    if as_json and as_sarif:
        raise click.UsageError("--json and --sarif exclude each other.")
    today = datetime.now(UTC).date().isoformat()
    if fix:
        from bastide.cli.fixing import fix_project

        if not fix_project(options, today=today, yes=yes):
            return 1
    audited = audit_project(options.project(), options.target, today=today)
    if as_json:
        from bastide.audit.document import report_json

        document = report_json(audited.report, place=_places(audited), further=audited.on_servers)
        print_json({**document, "target": audited.target})
    elif as_sarif:
        from bastide.audit.sarif import report_sarif

        print_json(report_sarif(audited.report, place=_places(audited)))
    else:
        _print(audited, everything=everything, fixed=fix)
    return _exit_code(audited, fail_on)


def _exit_code(audited: Audited, fail_on: Literal["never"] | Severity) -> int:
    return 3 if fail_on != "never" and audited.report.at_least(fail_on) else 0


def _places(audited: Audited) -> Place:
    def place(at: Keys) -> tuple[str, int]:
        origin = audited.place(at)
        assert origin.file is not None
        return _shown(origin.file), origin.line

    return place


def _shown(file: Path) -> str:
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def _print(audited: Audited, *, everything: bool, fixed: bool) -> None:
    import sys

    from rich.console import Console
    from rich.text import Text

    from bastide.audit.text import report_lines

    place = _places(audited)
    fixable = sum(bool(finding.edits) for finding in audited.report.findings)
    hint = f"next: bastide audit --fix edits the spec for {fixable} of them" if fixable and not fixed else ""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in report_lines(
        audited.report,
        place=lambda at: ":".join(str(part) for part in place(at)),
        further=audited.on_servers,
        everything=everything,
        fixable=hint,
    ):
        console.print(Text.assemble((line.text, line.style), line.rest))
