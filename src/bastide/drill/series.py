"""Figures over time for the report: reads, failures, latency and writes in slices of time around the fault.

In: Outcome. Out: plain lists for the plots, rounded; the fault's beginning is second 0. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from bastide.drill.judge import quantile
from bastide.drill.outcome import Outcome

_SLICES = 160
_FINEST_S = 0.5


def derive_series(outcome: Outcome) -> dict[str, Any]:
    """`x` seconds from the fault; a list for each line, null where nothing was measured."""
    marks, ledger = outcome.marks, outcome.ledger
    start, end = marks.began - marks.broken, marks.over - marks.broken
    width = max(_FINEST_S, (end - start) / _SLICES)
    count = max(1, int((end - start) / width) + 1)

    def slice_of(at: float) -> int:
        return math.floor((at - marks.broken - start) / width)

    def rate(moments: Iterable[float]) -> list[float]:
        found = [0] * count
        for at in moments:
            if 0 <= (index := slice_of(at)) < count:
                found[index] += 1
        return [round(number / width, 2) for number in found]

    waits: list[list[float]] = [[] for _ in range(count)]
    for read in ledger.reads:
        if read.ok and 0 <= (index := slice_of(read.ended)) < count:
            waits[index].append((read.ended - read.due) * 1000)
    ordered = [sorted(found) for found in waits]
    return {
        "x": [round(start + (index + 0.5) * width, 3) for index in range(count)],
        "answered": rate(read.ended for read in ledger.reads if read.ok),
        "failed": rate(read.ended for read in ledger.reads if not read.ok),
        "written": rate(write.ended for write in ledger.writes if write.ok) if ledger.writing else None,
        "unwritten": rate(write.ended for write in ledger.writes if not write.ok) if ledger.writing else None,
        "p50_ms": [round(quantile(found, 0.5), 1) if found else None for found in ordered],
        "worst_ms": [round(found[-1], 1) if found else None for found in ordered],
        "writable": {
            host: [
                [round(a - marks.broken, 3), round(b - marks.broken, 3)] for a, b in outcome.watch.writable(host)
            ]
            for host in outcome.watch.seen
        },
        "fault": [0.0, round(marks.restoring - marks.broken, 3)],
        "restored": round(marks.restored - marks.broken, 3),
        "span": [round(start, 3), round(end, 3)],
    }
