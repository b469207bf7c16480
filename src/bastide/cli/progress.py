"""Progress on stderr: work sends words, this draws them.

On a terminal: one live line for what goes on now, a line with its duration for what is done. Elsewhere: one plain
line a state change and a heartbeat every 30 s, never redrawn. Holds: stdout is never written.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_HEARTBEAT_S = 30.0


class Step:
    """A stage of the work, as whoever does it sees it."""

    failed = False
    """It came to an end, and not to a good one: no exception says so."""


class Progress:
    """Draws steps and their durations; remembers them for the closing table."""

    def __init__(self, mode: Literal["auto", "tty", "plain", "quiet"]) -> None:
        if mode == "auto":
            mode = "tty" if sys.stderr.isatty() else "plain"
        self.mode = mode
        self.durations: list[tuple[str, float]] = []
        self._status: Status | None = None
        self._label = ""

    @cached_property
    def console(self) -> Console:
        """What draws; made with the first word, since a quiet run needs none of it."""
        from rich.console import Console

        return Console(stderr=True, force_terminal=True if self.mode == "tty" else None, highlight=False)

    @contextmanager
    def step(self, label: str) -> Iterator[Step]:
        """A stage of the work."""
        started = time.monotonic()
        self._label = label
        finished = threading.Event()
        if self.mode == "tty":
            self._status = self.console.status(label)
            self._status.start()
        elif self.mode == "plain":
            self.console.print(f"· {label}", markup=False, soft_wrap=True)
            threading.Thread(target=self._heartbeat, args=(label, started, finished), daemon=True).start()
        step, done = Step(), False
        try:
            yield step
            done = not step.failed
        finally:
            finished.set()
            if self._status is not None:
                self._status.stop()
                self._status = None
            elapsed = time.monotonic() - started
            self.durations.append((label, elapsed))
            if self.mode != "quiet":
                mark = "✓" if done else "✗"
                self.console.print(f"{mark} {label}  {elapsed:.1f} s", markup=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A detail of the current stage."""
        if self.mode == "quiet":
            return
        if self._status is not None:
            self._status.update(f"{self._label}: {text}".replace("[", "\\["))
        else:
            self.console.print(f"  {text}", markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Something that stays on the screen."""
        if self.mode != "quiet":
            self.console.print(text, markup=False, soft_wrap=True)

    def error(self, text: str) -> None:
        """Why something failed: said however quiet we are to be."""
        self.console.print(text, markup=False, soft_wrap=True)

    def _heartbeat(self, label: str, started: float, finished: threading.Event) -> None:
        while not finished.wait(_HEARTBEAT_S):
            self.console.print(
                f"  still: {label} ({time.monotonic() - started:.0f} s)", markup=False, soft_wrap=True
            )
