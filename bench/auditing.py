"""How long audit takes for large sites, each in a process of its own.

In: how often. Out: figures. CPU time, the least of the rounds, since audit waits for nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench.figure import Figure
from bench.tool import ROOT, environment

HOSTS = 1000


def measure(rounds: int) -> Iterator[Figure]:
    """Seconds for a thousand hosts, all rules, with every cut of one and two."""
    argv = [sys.executable, "-m", "bench.audit_hosts", str(HOSTS)]
    runs: list[dict[str, Any]] = []
    for _ in range(rounds):
        done = subprocess.run(argv, env=environment(), cwd=ROOT, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout))
    command = f"python -m bench.audit_hosts {HOSTS}"
    for name, words in (
        ("tiers", "audit 1,000 hosts, cut sets of order 2"),
        ("alike", "  the same, all hosts alike"),
    ):
        seconds = min(run[f"{name}_s"] for run in runs)
        yield Figure(name=words, value=seconds, unit="CPU s", at_most=5, command=command)
