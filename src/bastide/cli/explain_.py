"""`bastide explain`: the infrastructure in prose, or one element, rule or code."""

from __future__ import annotations

import click

from bastide.cli.options import Options, print_json, with_format, with_options


@click.command("explain")
@with_options
@with_format
@click.argument("what", nargs=-1, metavar="[ELEMENT|RULE|CODE]")
@click.option("--markdown", is_flag=True, help="Print Markdown, to be kept beside the spec.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(options: Options, what: tuple[str, ...], markdown: bool, as_json: bool) -> int:
    """Tell why each part is there, what it talks to, how that is protected, and what happens when it dies.

    ELEMENT is a host, role, service (web1/nginx), flow (balancer-web), zone (internet), vip, ca, certificate, data or
    a secret; RULE is one of audit's, CODE that of an error in a spec.
    """
    from datetime import UTC, datetime

    from bastide.explain.find import every_element, explain_code, find_element
    from bastide.explain.model import Subject
    from bastide.explain.render import explanation_json, explanation_markdown, story_json, story_markdown
    from bastide.explain.story import tell_story
    from bastide.project.auditing import audit_project
    from bastide.project.described import describe_project

    word = " ".join(what)
    explanation = explain_code(word) if word else None
    if explanation is None:
        project = options.project()
        described = describe_project(project)
        audited = audit_project(project, options.target, today=datetime.now(UTC).date().isoformat())
        subject = Subject(
            spec=described.spec,
            topology=described.topology,
            real=described.real,
            findings=audited.report.findings,
            on_servers=audited.on_servers,
        )
        if not word:
            story = tell_story(subject)
            if as_json:
                print_json(story_json(story, tuple(every_element(subject))))
            else:
                _show(story_markdown(story), plain=markdown)
            return 0
        explanation = find_element(subject, word)
    if as_json:
        print_json({"version": 1, **explanation_json(explanation)})
    else:
        _show(explanation_markdown(explanation), plain=markdown)
    return 0


def _show(text: str, *, plain: bool) -> None:
    if plain:
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(highlight=False)
    console.print(Markdown(text), width=min(console.width, 110))
