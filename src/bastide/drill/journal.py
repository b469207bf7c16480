"""What is broken right now, on disk: whoever comes after a drill that was killed puts it back first.

In: the project's state folder. Out: the fault and the hosts with recorders, or nothing. Holds: written and synced before
anything is broken; removed only when everything was proved whole; one drill at a time holds its lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bastide.drill.refusals import DrillRefused
from bastide.drill.scenario import FaultSpec

_NAME = "broken.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a drill has under way."""

    scenario: str
    fault: FaultSpec | None
    """None while only the load runs."""
    recorders: tuple[tuple[str, str], ...]
    """Host, and what is recorded there."""


def drill_folder(state: Path) -> Path:
    """Where drills keep their state."""
    folder = state / "drill"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_entry(state: Path, entry: Entry) -> None:
    """Remember, durably."""
    path = drill_folder(state) / _NAME
    draft = path.with_suffix(".new")
    with draft.open("w") as stream:
        json.dump(asdict(entry), stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def read_entry(state: Path) -> Entry | None:
    """What a drill left behind."""
    path = drill_folder(state) / _NAME
    if not path.exists():
        return None
    said = json.loads(path.read_text())
    fault = said["fault"]
    if fault is not None:
        fault = FaultSpec(
            kind=fault["kind"], targets=tuple(fault["targets"]), peers=tuple(fault["peers"]), share=fault["share"]
        )
    recorders = tuple((host, what) for host, what in said["recorders"])
    return Entry(scenario=said["scenario"], fault=fault, recorders=recorders)


def forget_entry(state: Path) -> None:
    """Everything is whole."""
    (drill_folder(state) / _NAME).unlink(missing_ok=True)


@contextmanager
def one_at_a_time(state: Path) -> Iterator[None]:
    """Raises DrillRefused while another drill runs on this project. A killed one holds nothing."""
    with (drill_folder(state) / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DrillRefused("another drill runs on this project", "wait for its end") from None
        yield
