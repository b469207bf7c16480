"""How long the command line takes to say anything.

In: how often. Out: figures; beside it an interpreter that does nothing, run alternately.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from bench.figure import Figure
from bench.tool import argv, environment


def measure(rounds: int) -> Iterator[Figure]:
    """`bastide --help`."""
    helped, nothing = [], []
    for _ in range(rounds):
        nothing.append(_seconds([sys.executable, "-c", "pass"]))
        helped.append(_seconds(argv("--help")))
    ms = statistics.median(helped) * 1000
    yield Figure(name="bastide --help", value=ms, unit="ms", at_most=150, command="bastide --help")
    ratio = statistics.median(helped) / statistics.median(nothing)
    yield Figure(name="  to an interpreter that does nothing", value=ratio, unit="×", command="python -c pass")


def _seconds(words: Sequence[str]) -> float:
    began = time.monotonic()
    subprocess.run(words, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
