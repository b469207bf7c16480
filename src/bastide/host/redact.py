"""Keeps secrets out of what failing programs said, which people will paste into tickets.

In: contents of a generation's secret files. Out: a function over lines. Holds: a line that repeats a secret line or
a secret value (what follows the first `=`, `:` or blank of a line), eight characters or longer, is masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bastide.host.machine import Machine
from bastide.host.manifest import Manifest

Redactor = Callable[[Sequence[str]], list[str]]
_SHORTEST = 8
_SEPARATOR = re.compile(r"\s*[=:\s]\s*")


def secret_texts(contents: Iterable[str]) -> list[str]:
    """What must not be shown, longest first."""
    found: set[str] = set()
    for content in contents:
        for line in map(str.strip, content.splitlines()):
            parts = _SEPARATOR.split(line, maxsplit=1)
            found.update(p.strip("'\"; ") for p in (line, parts[-1]))
    return sorted((t for t in found if len(t) >= _SHORTEST), key=lambda t: (-len(t), t))


def mask(lines: Sequence[str], secrets: Sequence[str]) -> list[str]:
    """The lines with each secret replaced."""
    masked = []
    for line in lines:
        for secret in secrets:
            line = line.replace(secret, "[secret]")
        masked.append(line)
    return masked


def redactor(machine: Machine, manifest: Manifest, digest: str) -> Redactor:
    """Masks the secrets of one generation; they are read only when something has to be masked."""

    def redact(lines: Sequence[str]) -> list[str]:
        tree = machine.generations / digest
        paths = (Path(tree, e["path"].lstrip("/")) for e in manifest["files"] if e["secret"])
        contents = [p.read_bytes().decode(errors="replace") for p in paths if p.is_file()]
        return mask(lines, secret_texts(contents))

    return redact
