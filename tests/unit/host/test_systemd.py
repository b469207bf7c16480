"""What is asked of systemd's programs, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from bastide.host.machine import Finished, Machine
from bastide.host.systemd import last_said


def test_what_journald_has_yet_to_write_down_is_among_the_last_lines() -> None:
    written: list[str] = []

    def run(argv: Sequence[str]) -> Finished:
        if "--sync" in argv:
            written.append("I am unwell")
        return Finished(tuple(argv), 0, "\n".join(written))

    assert last_said(Machine(run=run), "worker.service") == ["I am unwell"]
