"""Takeovers of the database, many of each kind, under a load of writes that goes on all the time.

In: how many of each kind. Out: figures: how long no write was acknowledged (median, and the worst or 99 of 100), how
many acknowledged writes were lost, whether two servers ever took writes, and what a keeper costs.

    python bench/run.py takeover --rounds 20       20 of each kind
    python -m bench.takeovers killed 50            50 of one kind, on a lab of its own
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Figure, print_table
from bench.tool import ROOT
from tests.lab.commands import Commands
from tests.lab.database.ledger import await_pair, make_table, verdict, writing

PROJECT = ROOT / "tests/lab/database/project"
COMMAND = "bench/run.py takeover"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to lose, or to change, the primary."""

    name: str
    fault: Callable[[Commands, str], object]
    mend: Callable[[Commands, str], object]
    p50_s: float
    p99_s: float


def _nothing(_: Commands, __: str) -> None: ...


KINDS = (
    Kind(
        name="killed", p50_s=0.6, p99_s=1.5, mend=_nothing,
        fault=lambda lab, host: lab.ask(host, "kill -KILL $(cat /run/mysqld/mysqld.pid)"),
    ),
    Kind(
        name="frozen", p50_s=3, p99_s=5, mend=_nothing,
        fault=lambda lab, host: lab.ask(host, "kill -STOP $(cat /run/mysqld/mysqld.pid)"),
    ),
    Kind(
        name="host lost", p50_s=5, p99_s=7, mend=lambda lab, host: lab.do("lab", "start", host),
        fault=lambda lab, host: lab.do("lab", "kill", host),
    ),
    Kind(
        name="host cut off", p50_s=5, p99_s=7, mend=lambda lab, host: lab.do("lab", "heal", host),
        fault=lambda lab, host: lab.do("lab", "cut", host),
    ),
    Kind(
        name="switchover", p50_s=0.1, p99_s=0.5, mend=_nothing, fault=lambda lab, _: lab.do("db", "switchover"),
    ),
)  # fmt: skip


def measure(rounds: int) -> Iterable[Figure]:
    """All kinds in one lab."""
    with _lab() as lab:
        yield from _keeper_figures(lab)
        yield from _commit_figures(lab)
        for kind in KINDS:
            yield from repeat(lab, kind, rounds)


def repeat(lab: Commands, kind: Kind, rounds: int) -> list[Figure]:
    """One kind, so many times, with the writers going on throughout; what they were told is compared at the end."""
    first, windows = int(time.monotonic()) * 100_000_000, []
    with writing(lab, first) as load:
        for number in range(rounds):
            primary = await_pair(lab, within_s=180)
            began = time.monotonic()
            kind.fault(lab, primary)
            _await_other(lab, primary)
            windows.append((began, time.monotonic() + 1.0))
            time.sleep(1.0)
            kind.mend(lab, primary)
            print(f"{kind.name} {number + 1}/{rounds}: {primary} was the primary", file=sys.stderr, flush=True)
        await_pair(lab, within_s=180)
    await_pair(lab, within_s=180)
    outages = sorted(load.ledger.outage_s(*window) for window in windows)
    found = verdict(lab, load, first)
    print(f"{kind.name}: {[round(s, 3) for s in outages]} {found}", file=sys.stderr, flush=True)
    # What writers wait for afterwards, while the old primary comes back and commits begin to wait for it.
    ends = [end for _, end in windows]
    later = [load.ledger.outage_s(end, begin) for end, (begin, _) in zip(ends, windows[1:], strict=False)]
    command = f"{COMMAND} --rounds {rounds}"
    worst = outages[min(len(outages) - 1, int(len(outages) * 0.99))]
    name = f"primary {kind.name}" if kind.name != "switchover" else "planned switchover"
    wrong = found["lost"] + found["refused_but_present"] + found["differ"]
    return [
        Figure(
            name=f"{name}: no write acknowledged, median of {rounds}", value=statistics.median(outages), unit="s",
            command=command, at_most=kind.p50_s,
        ),
        Figure(
            name=f"{name}: no write acknowledged, 99 of 100", value=worst, unit="s", command=command,
            at_most=kind.p99_s,
        ),
        Figure(
            name=f"{name}: longest wait afterwards, while the standby comes back", value=max(later, default=0),
            unit="s", command=command,
        ),
        Figure(
            name=f"{name}: lost or wrong of {found['acknowledged']} acknowledged writes", value=wrong, unit="writes",
            command=command, at_most=0, proof=True,
        ),
        Figure(
            name=f"{name}: both servers took writes", value=found["both_writable_s"], unit="s", command=command,
            at_most=0, proof=True,
        ),
    ]  # fmt: skip


def _await_other(lab: Commands, primary: str) -> None:
    from tests.lab.database.test_takeover import await_takeover, other

    await_takeover(lab, other(primary), within_s=120)


def _keeper_figures(lab: Commands, seconds: int = 20) -> Iterator[Figure]:
    """The primary's keeper with its fencer, at rest: what they hold and what they use."""
    primary = await_pair(lab)
    used = (
        "for unit in keeper keeper-fence; do cut -d' ' -f14,15 /proc/$(systemctl show -P MainPID $unit)/stat; done"
    )
    before, at = _ticks(lab.ask(primary, used)), time.monotonic()
    time.sleep(seconds)
    share = (_ticks(lab.ask(primary, used)) - before) / (time.monotonic() - at)
    yield Figure(
        name="keeper and fencer at rest, of one core", value=round(share, 2), unit="%", command=COMMAND, at_most=1
    )
    for unit in ("keeper", "keeper-fence"):
        script = f"grep ^Pss: /proc/$(systemctl show -P MainPID {unit})/smaps_rollup"
        kilobytes = int(lab.ask(primary, script).split()[1])
        yield Figure(
            name=f"{unit}: memory", value=round(kilobytes / 1024, 1), unit="MB", command=COMMAND, at_most=30
        )


def _ticks(text: str) -> int:
    """The kernel counts hundredths of a second, so ticks a second are per cent of a core."""
    return sum(int(word) for word in text.split())


def _commit_figures(lab: Commands, seconds: float = 6.0) -> Iterator[Figure]:
    """The same four writers, with commits that wait for the standby's disk, and with none that wait."""
    primary = await_pair(lab)
    standby = "db2" if primary == "db1" else "db1"
    waits = _commit_ms(lab, seconds, 1)
    # Its keeper is away: the primary goes on alone, and the replica follows as before, unwaited for.
    lab.ask(standby, "systemctl stop keeper.socket keeper.service")
    try:
        _await_alone(lab, primary)
        alone = _commit_ms(lab, seconds, 2)
    finally:
        lab.ask(standby, "systemctl start keeper.socket keeper.service")
    await_pair(lab, within_s=120)
    for name, value in (("acknowledged by the standby", waits), ("by the primary alone (asynchronous)", alone)):
        yield Figure(name=f"commit {name}, 4 writers, median", value=round(value, 2), unit="ms", command=COMMAND)


def _await_alone(lab: Commands, primary: str) -> None:
    script = (
        "mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -N -B -e 'SELECT @@rpl_semi_sync_master_enabled'"
    )
    end = time.monotonic() + 60
    while lab.ask(primary, script) != "0":
        assert time.monotonic() < end, "the primary goes on waiting for a standby that is away"
        time.sleep(0.2)


def _commit_ms(lab: Commands, seconds: float, number: int) -> float:
    first = int(time.monotonic()) * 100_000_000 + number * 10_000_000
    with writing(lab, first, warm_s=1.0, after_s=seconds) as load:
        pass
    return 1e3 * statistics.median(
        end - begin for _, said, begin, end in load.ledger.told if said == "acknowledged"
    )


@contextmanager
def _lab() -> Iterator[Commands]:
    folder = Path(tempfile.mkdtemp(prefix="bastide-takeovers-")) / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(".bastide", "__pycache__"))
    lab = Commands(spec=folder / "bastide.yaml")
    try:
        lab.do("up", timeout_s=600)
        await_pair(lab, within_s=180)
        make_table(lab)
        yield lab
    finally:
        lab.run("destroy", "--yes", timeout_s=180)
        shutil.rmtree(folder.parent)


def main() -> int:
    """`python -m bench.takeovers KIND N [SPEC]`: a lab of its own, or one that stands."""
    chosen = next(kind for kind in KINDS if kind.name == sys.argv[1])
    rounds = int(sys.argv[2])
    if len(sys.argv) > 3:
        figures = repeat(Commands(spec=Path(sys.argv[3])), chosen, rounds)
    else:
        with _lab() as lab:
            figures = repeat(lab, chosen, rounds)
    print(print_table(figures))
    return 1 if any(figure.proof and not figure.met for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
