"""How long the plan of a large site takes, from the spec to its text, and how much memory.

In: numbers of hosts. Out: figures. Each size in processes of its own; what hosts answer was recorded before, so it is
the controller alone. CPU time: it waits for nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure
from bench.tool import ROOT, environment


def measure(sizes: Sequence[int]) -> Iterator[Figure]:
    """Processor time and memory of each size, and how memory grows from the first to the last."""
    memory = {}
    with TemporaryDirectory() as folder:
        for size in sizes:
            argv = [sys.executable, "-m", "bench.plan_hosts", str(size)]
            file = str(Path(folder) / "observations")
            subprocess.run([*argv, "record", file], env=environment(), cwd=ROOT, check=True)
            done = subprocess.run(
                [*argv, "plan", file], env=environment(), cwd=ROOT, check=True, capture_output=True, text=True
            )
            found = json.loads(done.stdout)
            memory[size] = found["peak_rss_mb"]
            command = f"python -m bench.plan_hosts {size} plan FILE"
            yield Figure(name=f"plan of {size:,} hosts", value=found["cpu_s"], unit="CPU s", command=command)
            yield Figure(name="  peak memory", value=found["peak_rss_mb"], unit="MB", at_most=500, command=command)
    if len(sizes) > 1:
        growth = memory[sizes[-1]] / memory[sizes[0]]
        yield Figure(
            name=f"  memory for {sizes[-1]:,} to that for {sizes[0]:,}", value=growth, unit="×", at_most=2,
            command=command,
        )  # fmt: skip
