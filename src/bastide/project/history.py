"""What was done to the hosts, by whom, from which commit: the journals of hosts and controller as one.

In: a Target. Out: lines, oldest first. Holds: every host's journal counts, so that what another controller or a
host's console did is there too; a host that is away is made up for by what this controller remembers.
"""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bastide.apply.journal import read_journal
from bastide.apply.observe import on_all
from bastide.project.target import Target
from bastide.transport.errors import TransportError
from bastide.transport.ssh import open_conversation

_TOGETHER_S = 1800.0
"""Lines of hosts with one number, operation and author belong to one run if they are not further apart."""


@dataclass(kw_only=True)
class HistoryLine:
    """One run, or what was done on a console."""

    at: float
    """Unix time at which it ended, as far as is known."""
    number: int
    """Of the apply; of a rollback, the apply that it returned to."""
    operation: str
    result: str
    """done, failed, interrupted."""
    who: str
    commit: str
    hosts: dict[str, str] = field(default_factory=dict)
    """What became of each: confirmed, rolled-back, failed."""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.at))
        return {
            "at": when, "number": self.number, "operation": self.operation, "result": self.result, "who": self.who,
            "commit": self.commit, "hosts": self.hosts, "why": self.why,
        }  # fmt: skip


def read_history(target: Target) -> list[HistoryLine]:
    """All of it."""

    def look(host: str) -> list[dict[str, Any]]:
        with open_conversation(target.endpoint(host)) as conversation:
            found: list[dict[str, Any]] = conversation.request("history")["journal"]
            return found

    answers = on_all(target.endpoints, look)
    journals = {host: lines for host, lines in answers.items() if not isinstance(lines, TransportError)}
    return merge(read_journal(target.state), journals)


def merge(controller: list[dict[str, Any]], journals: Mapping[str, list[dict[str, Any]]]) -> list[HistoryLine]:
    """One line a run."""
    lines: list[HistoryLine] = []
    told = sorted(((line["at"], host, line) for host, found in journals.items() for line in found), key=_when)
    for _, host, line in told:
        result = "done" if line["result"] == "confirmed" or line["why"] == "console" else "failed"
        known = next((run for run in reversed(lines) if _same_run(run, line, host)), None)
        if known is None:
            known = HistoryLine(
                at=line["at"], number=line["number"], operation=line["operation"], result=result, who=line["who"],
                commit=line["commit"],
            )  # fmt: skip
            lines.append(known)
        known.at = line["at"]
        known.hosts[host] = line["result"]
        known.why = known.why or ("" if result == "done" else line["why"])
        known.result = "failed" if result == "failed" else known.result
    return sorted([*lines, *_only_here(controller, lines)], key=lambda line: line.at)


def _when(told: tuple[float, str, dict[str, Any]]) -> float:
    return told[0]


def _same_run(run: HistoryLine, line: dict[str, Any], host: str) -> bool:
    named = (run.number, run.operation, run.who, run.commit)
    same = named == (line["number"], line["operation"], line["who"], line["commit"])
    return same and host not in run.hosts and line["at"] - run.at < _TOGETHER_S and line["who"] != "console"


def _only_here(controller: list[dict[str, Any]], lines: list[HistoryLine]) -> Iterator[HistoryLine]:
    """Runs that no host tells of: they failed before anything changed, or their hosts are away now."""
    for record in controller:
        at = float(timegm(time.strptime(record["at"], "%Y-%m-%dT%H:%M:%SZ")))
        changed = {name: host for name, host in record["hosts"].items() if host["result"] != "unchanged"}
        if not changed or any(_told_of(line, record, at) for line in lines):
            continue
        why = next((host["message"] for host in changed.values() if host["message"]), "")
        yield HistoryLine(
            at=at,
            number=record.get("number", 0),
            operation=record.get("operation", "apply"),
            result=record["result"],
            who=record["who"],
            commit=record.get("commit", ""),
            hosts={name: host["result"] for name, host in changed.items()},
            why=why,
        )


def _told_of(line: HistoryLine, record: dict[str, Any], at: float) -> bool:
    same = (line.who, line.operation) == (record["who"], record.get("operation", "apply"))
    numbered = line.operation == "rollback" or line.number == record.get("number", 0)
    # The journals' clocks are several: a minute apart is together, an hour is not.
    return same and numbered and abs(line.at - at) < 120 and bool(line.hosts.keys() & record["hosts"].keys())
