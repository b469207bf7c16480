"""Directives in the user's own lines of configuration, as far as a rule must know them.

In: the text of a snippet. Out: its directives as words, without comments and quotes. Holds: nothing is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bastide.spec.errors import Keys
from bastide.spec.model import Spec

_OFF = {"0", "off", "false", "no"}


@dataclass(frozen=True, slots=True)
class Directive:
    """One line's words, in lower case."""

    words: tuple[str, ...]
    text: str
    """As written, without space around it."""
    at: Keys
    """The snippet that it stands in."""

    def starts(self, *words: str) -> bool:
        """Whether it begins with these words."""
        return self.words[: len(words)] == words

    def has(self, *words: str) -> bool:
        """Whether these words stand in it one after the other."""
        return any(self.words[i : i + len(words)] == words for i in range(len(self.words)))


def haproxy_directives(spec: Spec) -> Iterator[Directive]:
    """Of all four sections."""
    snippets = spec.balancer.snippets
    for name, text in (
        ("global", snippets.global_),
        ("defaults", snippets.defaults),
        ("frontend", snippets.frontend),
        ("backend", snippets.backend),
    ):
        for line in text.splitlines():
            yield from _directive(line, ("balancer", "snippets", name))


def nginx_directives(spec: Spec) -> Iterator[Directive]:
    """Of both contexts; several may share a line."""
    for name, text in (("http", spec.web.snippets.http), ("server", spec.web.snippets.server)):
        for line in text.splitlines():
            for part in re.split(r"[;{}]", line.split("#")[0]):
                yield from _directive(part, ("web", "snippets", name))


def mariadb_settings(spec: Spec) -> Iterator[tuple[str, str, Directive]]:
    """Name (with underscores) and value of each setting; a bare name is `on`."""
    if spec.database is None:
        return
    for line in spec.database.snippet.splitlines():
        name, _, value = line.split("#")[0].partition("=")
        plain = name.strip().lower().replace("-", "_").removeprefix("loose_")
        if plain.startswith("skip_") and value.strip().lower() not in _OFF:
            value = value or "on"
        if plain and not plain.startswith("["):
            directive = Directive((plain,), line.strip(), ("database", "snippet"))
            yield plain, value.strip().strip("\"'").lower() or "on", directive


def is_off(value: str) -> bool:
    """Whether MariaDB reads this as off."""
    return value in _OFF


def _directive(line: str, at: Keys) -> Iterator[Directive]:
    text = re.sub(r"(^|\s)#.*", "", line).strip()
    words = tuple(word.strip("\"'").lower() for word in text.split())
    if words:
        yield Directive(words, text, at)
