"""A story or an explanation as Markdown, or as plain values for programs.

In: story or explanation. Out: text (the terminal shows the same Markdown, drawn), or JSON values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bastide.explain.model import Chapter, Explanation, Story, Table


def story_markdown(story: Story) -> str:
    """The whole."""
    lines = [f"# {story.title}", ""]
    for chapter in story.chapters:
        lines += [f"## {chapter.title}", "", *_chapter(chapter)]
    return "\n".join(lines).rstrip() + "\n"


def explanation_markdown(explanation: Explanation, *, level: int = 1) -> str:
    """One element."""
    return "\n".join(_element(explanation, level)).rstrip() + "\n"


def _chapter(chapter: Chapter) -> Iterator[str]:
    for paragraph in chapter.paragraphs:
        yield from (paragraph, "")
    if chapter.steps:
        yield from (f"{number}. {step}" for number, step in enumerate(chapter.steps, start=1))
        yield ""
    if chapter.points:
        yield from (f"- {point}" for point in chapter.points)
        yield ""
    if chapter.table and chapter.table.rows:
        yield from (*_table(chapter.table), "")
    for element in chapter.elements:
        yield from _element(element, 3)


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.head)} |"
    yield f"|{'|'.join(' --- ' for _ in table.head)}|"
    for row in table.rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _element(element: Explanation, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {element.title}", "", element.why, "")
    for heading, texts in (
        (element.talks_title, element.talks),
        ("Protected", element.protection),
        (element.dies_title, element.dies),
        (element.remains_title, element.remains),
    ):
        if len(texts) == 1:
            yield from (f"**{heading}.** {_capital(texts[0])}", "")
        elif texts:
            yield from (f"**{heading}:**", "", *(f"- {text}" for text in texts), "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def story_json(story: Story, others: Sequence[Explanation]) -> dict[str, Any]:
    """Chapters, and every element by itself."""
    told = {element.name: element for element in (*story.elements(), *others)}
    return {
        "version": 1,
        "title": story.title,
        "chapters": [
            {
                "title": chapter.title,
                "paragraphs": list(chapter.paragraphs),
                "steps": list(chapter.steps),
                "points": list(chapter.points),
                "table": chapter.table
                and {"head": list(chapter.table.head), "rows": [list(r) for r in chapter.table.rows]},
                "elements": [element.name for element in chapter.elements],
            }
            for chapter in story.chapters
        ],
        "elements": [explanation_json(element) for element in told.values()],
    }


def explanation_json(element: Explanation) -> dict[str, Any]:
    """One element."""
    loss = element.loss
    return {
        "kind": element.kind,
        "name": element.name,
        "title": element.title,
        "why": element.why,
        "talks": list(element.talks),
        "protection": list(element.protection),
        "dies": list(element.dies),
        "remains": list(element.remains),
        "stops": None if loss is None else [k for k, v in (("reads", loss.reads), ("writes", loss.writes)) if v],
    }
