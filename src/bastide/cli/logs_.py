"""`bastide logs [WHAT]`: the journal of a host, a service on a host, or a service on all of its hosts; or a search
in the store of a monitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_long_options

if TYPE_CHECKING:
    from bastide.project.target import Target


class _FileOrFollow(click.Command):
    """`-f` before a YAML file is the spec, as with every verb; anywhere else it is --follow, as with every log."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        following = [*args[1:], ""]
        return super().parse_args(
            ctx,
            [
                "--file" if word == "-f" and after.endswith((".yaml", ".yml")) else word
                for word, after in zip(args, following, strict=True)
            ],
        )


@click.command("logs", cls=_FileOrFollow)
@with_long_options
@click.argument("what", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option("--since", metavar="TIME", help="From then on, such as '10 min ago' or '2026-01-31 12:00'.")
@click.option(
    "-n", "--lines", type=click.IntRange(1), default=200, show_default=True, help="Last lines of each host."
)
@click.option("--search", metavar="TEXT", help="Only lines with that text, in the store of a monitor.")
@click.option("--grep", metavar="PATTERN", help="Only lines that match a regular expression.")
@click.option("--count", is_flag=True, help="Only how many lines of the store match --search or --grep.")
@click.option("--from-hosts", is_flag=True, help="Read the hosts' own journals even where a monitor has a store.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (of a search in the store).")
def command(
    options: Options,
    what: str | None,
    follow: bool,
    since: str | None,
    lines: int,
    search: str | None,
    grep: str | None,
    count: bool,
    from_hosts: bool,
    as_json: bool,
) -> int:
    """Show logs. WHAT is a host (web1), a service (nginx), or a service on a host (web1/nginx); by default all.

    With --search or --grep the store of a monitor is asked, which has all hosts' logs and their events; without a
    monitor that answers, the journals of the hosts.
    """
    import re

    from bastide.project.journal import LogQuery, follow_logs, select_sources
    from bastide.project.monitoring import HubSilent, monitor_names

    if search is not None and grep is not None:
        raise click.UsageError("Give --search or --grep, not both.")
    if count and ((search is None and grep is None) or follow or from_hosts):
        raise click.UsageError("--count counts what --search or --grep finds in the store of a monitor.")
    target = options.chosen_target()
    try:
        sources = select_sources(target, what)
    except KeyError as error:
        raise click.UsageError(str(error.args[0])) from None
    pattern = search if grep is None else grep
    if pattern is not None and not follow and not from_hosts and monitor_names(target):
        try:
            return _search(
                target,
                sources,
                all_hosts=what is None,
                text=pattern,
                regex=grep is not None,
                since=since,
                lines=lines,
                count=count,
                as_json=as_json,
            )
        except HubSilent as error:
            if count:
                raise
            click.echo(f"no monitor answers ({error}); reading the hosts' journals", err=True)
    if as_json:
        raise click.UsageError("--json needs --search or --grep, and a monitor that answers.")
    # A plain text is a pattern that stands for itself.
    journal_grep = grep if search is None else re.escape(search)
    query = LogQuery(follow=follow, since=since, lines=lines, grep=journal_grep)
    return follow_logs(target, sources, query, write=click.echo)


def _search(
    target: Target,
    sources: Mapping[str, tuple[str, ...]],
    *,
    all_hosts: bool,
    text: str,
    regex: bool,
    since: str | None,
    lines: int,
    count: bool,
    as_json: bool,
) -> int:
    import json
    from datetime import datetime

    from bastide.project.log_search import format_records, read_since, search_queries
    from bastide.project.monitoring import ask_hub

    try:
        start = 0.0 if since is None else read_since(since, datetime.now().astimezone())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    queries = search_queries(
        sources, all_hosts=all_hosts, text=text, regex=regex, since=start, lines=lines, count=count
    )
    answers = [ask_hub(target, "logs", json.dumps(query)) for query in queries]
    records = [record for _, answer in answers for record in answer["records"]]
    complete = all(answer["complete"] for _, answer in answers)
    if count:
        matched = sum(answer["matched"] for _, answer in answers)
        if as_json:
            print_json({"version": 1, "monitor": answers[0][0], "complete": complete, "matched": matched})
        else:
            click.echo(matched if complete else f"at least {matched}")
        return 0
    if as_json:
        print_json({"version": 1, "monitor": answers[0][0], "complete": complete, "records": records})
        return 0
    for line in format_records(records, max(map(len, sources))):
        click.echo(line)
    if not complete:
        click.echo("the search took too long and was cut short; narrow it with --since or WHAT", err=True)
    scanned = sum(answer["scanned"]["lines"] for _, answer in answers)
    click.echo(f"{len(records)} found in {scanned} lines on {answers[0][0]}", err=True)
    return 0
