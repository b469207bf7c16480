"""Why a release could not be built."""

from __future__ import annotations


class ReleaseFailed(Exception):
    """What failed, the last lines of the tool that said so, and what to do."""

    def __init__(self, message: str, *, lines: tuple[str, ...] = (), hint: str = "") -> None:
        self.message, self.lines, self.hint = message, lines, hint
        super().__init__(
            "\n".join((message, *(f"  {line}" for line in lines), *([f"hint: {hint}"] if hint else [])))
        )
