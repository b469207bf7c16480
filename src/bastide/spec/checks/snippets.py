"""Checks of the user's own configuration lines, as far as they can be judged without the product itself.

In: a Spec. Out: faults, each at the line of the snippet.
Holds: a snippet ends in the section or block that it began in; else lines of ours that follow would mean something
else. What only the product can judge is its checker's business (`project/snippets.py` shows that in the same way).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bastide.spec.checks.rule import Rule
from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec

SNIPPETS: tuple[Keys, ...] = (
    ("balancer", "snippets", "global"),
    ("balancer", "snippets", "defaults"),
    ("balancer", "snippets", "frontend"),
    ("balancer", "snippets", "backend"),
    ("web", "snippets", "http"),
    ("web", "snippets", "server"),
    ("database", "snippet"),
)
"""Every place for lines of the user's own."""
_SECTIONS = frozenset(
    [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "peers",
        "resolvers",
        "mailers",
        "userlist",
        "cache",
        "program",
        "http-errors",
        "ring",
        "log-forward",
        "fcgi-app",
    ]
)
_TOKEN = re.compile(r"""\\.|\$\{|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:(?<=\s)|^)\#[^\n]*|[{}\n]""", re.DOTALL)


def snippet_text(spec: Spec, path: Keys) -> str:
    """The lines at one of `SNIPPETS`; empty where there are none."""
    balancer, web = spec.balancer.snippets, spec.web.snippets
    texts = {
        "global": balancer.global_,
        "defaults": balancer.defaults,
        "frontend": balancer.frontend,
        "backend": balancer.backend,
        "http": web.http,
        "server": web.server,
        "snippet": spec.database.snippet if spec.database else "",
    }
    return texts[str(path[-1])]


def _blocks(spec: Spec) -> Iterator[Fault]:
    for path in (("web", "snippets", "http"), ("web", "snippets", "server")):
        yield from _braces(path, snippet_text(spec, path))


def _braces(path: Keys, text: str) -> Iterator[Fault]:
    opened: list[int] = []
    line = 0
    for token in _TOKEN.finditer(text):
        if token[0] == "{":
            opened.append(line)
        elif token[0] == "}" and not opened:
            message = "this '}' closes a block that the snippet did not open"
            hint = "remove it: the lines of Bastide's own that follow would stand outside their block"
            yield Fault(path=path, code="BST072", message=message, hint=hint, line=line, word="}")
            return
        elif token[0] == "}":
            opened.pop()
        line += token[0].count("\n")
    if opened:
        message = "this '{' opens a block that the snippet does not close"
        yield Fault(
            path=path, code="BST072", message=message, hint="add the missing '}'", line=opened[-1], word="{"
        )


def _sections(spec: Spec) -> Iterator[Fault]:
    path: Keys = ("balancer", "snippets", "frontend")
    for line, text in enumerate(snippet_text(spec, path).splitlines()):
        word = (text.split() or [""])[0]
        if word in _SECTIONS:
            yield Fault(
                path=path,
                code="BST072",
                message=f"'{word}' begins a section of its own, and lines of Bastide's own follow in this one",
                hint="put sections of your own at the end of `backend`",
                line=line,
                word=word,
            )


SNIPPET_RULES = (Rule(_blocks), Rule(_sections))
