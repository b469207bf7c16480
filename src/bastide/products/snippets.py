"""From a line of a rendered file back to the line of the user's snippet that stands there.

In: rendered files and what a product's checker said about them. Out: `Refusal`: which snippet, which of its lines.
Holds: templates put each snippet below a marker line (`# From the spec: web.snippets.http`) and keep its lines one by
one; so the marker and the number of the snippet's lines say where it stands. A line of ours is never blamed on a user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bastide.spec.checks.snippets import SNIPPETS, snippet_text
from bastide.spec.errors import Keys, dotted
from bastide.spec.model import Spec

_MARKER = re.compile(r"\s*# From the spec: ([a-z_.]+)\s*")
_FORMS = (
    # 2026/01/01 00:00:00 [emerg] 7#7: unknown directive "foo" in /etc/bastide/nginx/web.conf:31
    re.compile(r"\[(?:emerg|warn|alert|crit)\] (?:\d+#\d+: )?(?P<message>.+) in (?P<path>/\S+):(?P<line>\d+)$"),
    # [ALERT] (7) : config : parsing [/etc/bastide/haproxy/haproxy.cfg:27] : unknown keyword 'foo' in 'global' section
    re.compile(r"(?:parsing )?\[(?P<path>/[^\]:]+):(?P<line>\d+)\]\s*:?\s*(?P<message>.+)$"),
    # error: Found option without preceding group in config file /etc/bastide/mariadb/mariadb.cnf at line 12
    re.compile(r"(?P<message>.+?) in config file:? (?P<path>/\S+) at line:? (?P<line>\d+)"),
)
# 2026-01-01  0:00:00 0 [ERROR] mariadbd: unknown variable 'foo=1'
_OPTION = re.compile(
    r"mariadbd: (?P<message>(?:unknown (?:variable|option)|ambiguous option|option|Error while setting value)"
    r".*?'(?:--)?(?P<option>[\w-]+).*)$"
)
_QUOTED = re.compile(r"""["'`]([^"'`]+)["'`]""")
_MARIADB_FILE = "/mariadb.cnf"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A line of a snippet that its product refuses."""

    path: Keys
    """Which snippet."""
    line: int
    """Which of its lines, from 0."""
    message: str
    """The checker's own words, without the place in the rendered file."""
    word: str = ""
    """The word that it names, if that stands in the line."""


def trace_refusals(spec: Spec, files: Mapping[str, str], output: Sequence[str]) -> tuple[Refusal, ...]:
    """What a checker said, where it concerns a snippet. `files`: a host's rendered files, by path."""
    found = (refusal for line in output for refusal in _trace(spec, files, line))
    return tuple(dict.fromkeys(found))


def _trace(spec: Spec, files: Mapping[str, str], said: str) -> Iterator[Refusal]:
    for form in _FORMS:
        match = form.search(said)
        if match:
            place = locate_line(spec, files.get(match["path"], ""), int(match["line"]))
            if place is not None:
                yield _refusal(spec, *place, match["message"])
            return
    match = _OPTION.search(said)
    if match and any(path.endswith(_MARIADB_FILE) for path in files):
        path: Keys = ("database", "snippet")
        for index, line in enumerate(snippet_text(spec, path).splitlines()):
            if _option_name(line) == _option_name(match["option"]):
                yield _refusal(spec, path, index, match["message"])
                return


def locate_line(spec: Spec, content: str, line: int) -> tuple[Keys, int] | None:
    """The snippet, and which of its lines, that stands in this line (from 1) of a rendered file."""
    lines = content.splitlines()
    for number in range(min(line, len(lines)), 0, -1):
        marker = _MARKER.fullmatch(lines[number - 1])
        path = marker and _BY_NAME.get(marker[1])
        if path:
            index = line - number - 1
            return (path, index) if 0 <= index < len(snippet_text(spec, path).splitlines()) else None
    return None


def _refusal(spec: Spec, path: Keys, index: int, message: str) -> Refusal:
    text = snippet_text(spec, path).splitlines()[index]
    words = [word for word in _QUOTED.findall(message) if word in text]
    return Refusal(path=path, line=index, message=message.strip().rstrip(".;"), word=words[0] if words else "")


def _option_name(line: str) -> str:
    return re.split(r"[=\s]", line.strip().removeprefix("--"), maxsplit=1)[0].replace("-", "_").lower()


_BY_NAME: Mapping[str, Keys] = {dotted(path): path for path in SNIPPETS}
