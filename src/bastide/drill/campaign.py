"""A campaign: random faults, one after the other, for a while or a number of them; resumable, and the same for one seed.

In: a pool of scenarios, a seed. Out: which scenario comes at which place; rows on disk beside the spec; distributions.
Holds: the choice depends on seed, pool and place alone, so that a campaign that was interrupted goes on as it would have;
a row is on disk before the next fault begins.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bastide.drill.journal import drill_folder
from bastide.drill.judge import quantile
from bastide.drill.refusals import DrillRefused
from bastide.drill.scenario import Scenario
from bastide.topology.model import Topology

_FRONT = ("kill:{host}", "freeze:{host}", "cut:{host}")
_DATABASE = (
    "crash:primary/mariadb", "freeze:primary/mariadb", "kill:primary", "freeze:primary", "cut:primary",
    "crash:standby/mariadb", "kill:standby", "cut:standby", "crash:primary/keeper",
)  # fmt: skip
_TAKEOVER = ("switchover",)


def pool_names(topology: Topology, *, automatic: bool) -> tuple[str, ...]:
    """What a campaign draws from when nothing is named: the database first of all, then every other host."""
    databases = topology.tier("database")
    found = list(_DATABASE) if len(databases) > 1 else []
    if automatic:
        found += [*_TAKEOVER, *(f"crash:{h.name}/etcd" for h in topology.hosts.values() if h.votes)]
    others = [name for name, host in topology.hosts.items() if host not in databases]
    return (*found, *(pattern.format(host=name) for name in others for pattern in _FRONT))


def choose_next(pool: Sequence[Scenario], seed: int, index: int) -> Scenario:
    """The scenario at that place."""
    return random.Random(f"{seed}/{index}").choice(pool)


class CampaignFile:
    """The rows so far, on disk."""

    def __init__(self, state: Path, seed: int, pool: Sequence[Scenario]) -> None:
        self._path = drill_folder(state) / f"campaign-{seed}.jsonl"
        self._names = [scenario.name for scenario in pool]

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    def read(self) -> list[dict[str, Any]]:
        """Rows of an earlier run; raises DrillRefused when that one drew from another pool."""
        if not self._path.exists():
            self._append({"pool": self._names})
            return []
        lines = []
        for line in self._path.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue  # cut short by a crash: that fault is tried again
        if not lines or lines[0].get("pool") != self._names:
            raise DrillRefused(
                "a campaign with this seed exists already, and drew from other scenarios",
                f"choose another --seed, or remove {self._path}",
            )
        return lines[1:]

    def add(self, row: Mapping[str, Any]) -> None:
        """One more."""
        self._append(row)

    def _append(self, document: Mapping[str, Any]) -> None:
        with self._path.open("a") as stream:
            stream.write(json.dumps(document, default=str) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def distributions(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By scenario: how many, and how long reads and writes were out, p50 and p99, by nearest rank."""
    found = []
    for name in dict.fromkeys(row["name"] for row in rows):
        of = [row for row in rows if row["name"] == name and row["verdict"] != "not_tested"]
        line: dict[str, Any] = {"name": name, "runs": len(of), "met": sum(row["verdict"] == "met" for row in of)}
        for kind in ("read", "write"):
            outages = sorted(row[f"outage_{kind}_s"] for row in of if row[f"outage_{kind}_s"] is not None)
            for label, share in (("p50", 0.5), ("p99", 0.99)):
                line[f"{kind}_{label}_s"] = quantile(outages, share) if outages else None
        for key in ("requests", "failed", "acknowledged", "lost", "duplicated"):
            line[key] = sum(row[key] for row in of)
        line["two_writers_s"] = sum(row["two_writers_s"] for row in of)
        found.append(line)
    return found
