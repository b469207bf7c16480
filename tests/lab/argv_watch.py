"""Which command lines run on this computer while something happens.

Out: `ArgvWatch`, the set of all argv seen. A lab's machines are this kernel's processes, so theirs are among them.
It looks again every few milliseconds and may miss a process that lives shorter; what it must see is planted.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_PLANTED = "planted-command-line"


@dataclass(frozen=True, kw_only=True)
class ArgvWatch:
    """What was seen."""

    seen: set[bytes] = field(default_factory=set)

    def look(self) -> None:
        """Remember every process's argv."""
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    self.seen.add((process / "cmdline").read_bytes())

    def showing(self, text: str) -> list[str]:
        """Command lines that hold the text."""
        return [
            argv.replace(b"\0", b" ").decode(errors="replace") for argv in list(self.seen) if text.encode() in argv
        ]


@contextlib.contextmanager
def watch_argv() -> Iterator[ArgvWatch]:
    """Watch while the block runs. That the watch works is asserted: it sees short processes planted for it."""
    watch, over = ArgvWatch(), threading.Event()

    def keep_looking() -> None:
        while not over.wait(0.03):
            watch.look()

    thread = threading.Thread(target=keep_looking)
    thread.start()
    try:
        _plant(watch)
        yield watch
    finally:
        over.set()
        thread.join()
    assert watch.showing(_PLANTED)


def _plant(watch: ArgvWatch) -> None:
    """Short processes, until one was seen: a busy computer may let a look come later than one of them lasts."""
    end = time.monotonic() + 60
    while not watch.showing(_PLANTED) and time.monotonic() < end:
        subprocess.run(["sh", "-c", "sleep 0.2", _PLANTED], check=True)
