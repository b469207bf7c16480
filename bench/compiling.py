"""How long the compiler takes for large sites, each in a process of its own.

In: how often. Out: figures. Sizes are interleaved, so that a busy moment meets them all; CPU time, the least of the
rounds, since the compiler waits for nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench.figure import Figure
from bench.tool import ROOT, environment

SIZES = (250, 500, 1000)


def measure(rounds: int) -> Iterator[Figure]:
    """Seconds and memory for a thousand hosts, and whether twice the hosts take twice the time."""
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:
            argv = [sys.executable, "-m", "bench.compile_hosts", str(size)]
            done = subprocess.run(argv, env=environment(), cwd=ROOT, check=True, capture_output=True, text=True)
            runs[size].append(json.loads(done.stdout))
    seconds = {size: min(run["total_s"] for run in runs[size]) for size in SIZES}
    command = "python -m bench.compile_hosts {}".format
    yield Figure(name="compile 1,000 hosts", value=seconds[1000], unit="CPU s", at_most=5, command=command(1000))
    memory = max(run["peak_rss_mb"] for run in runs[1000])
    yield Figure(name="  peak memory", value=memory, unit="MB", at_most=500, command=command(1000))
    yield Figure(
        name="  bytes of configuration", value=runs[1000][0]["content_mb"], unit="MB", command=command(1000)
    )
    for size in SIZES:
        yield Figure(
            name=f"  a host, among {size:,}",
            value=seconds[size] / size * 1000,
            unit="CPU ms",
            command=command(size),
        )
    growth = (seconds[1000] / 1000) / (seconds[250] / 250)
    yield Figure(
        name="  a host among 1,000 to one among 250", value=growth, unit="×", at_most=1.5, command=command(1000)
    )
