"""The fencer kills the right process at its time, also when it was restarted in between, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bastide.keeper.clock import now_s
from bastide.keeper.fencer import Fence
from bastide.keeper.servers import Process, read_start

SOURCE = Path(__file__).parents[3] / "src"
TRIES = 10
"""Of what a busy computer may be too late for."""


@contextmanager
def fencer(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "bastide.keeper", "fence", str(path)]
    process = subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(SOURCE)}, stderr=subprocess.DEVNULL)
    while not path.exists():
        time.sleep(0.02)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def victim() -> Iterator[tuple[subprocess.Popen[bytes], Process]]:
    process = subprocess.Popen(["sleep", "600"])
    try:
        start = read_start(process.pid)
        assert start is not None
        yield process, Process(pid=process.pid, start=start)
    finally:
        process.kill()
        process.wait()


def arm(path: Path, process: Process, after_s: float) -> None:
    end = time.monotonic() + 30
    with closing(Fence(path)) as fence:
        while not fence.arm(process, now_s() + after_s):  # it may not listen yet
            assert time.monotonic() < end


def disarm(path: Path) -> None:
    end = time.monotonic() + 30
    with closing(Fence(path)) as fence:
        while not fence.disarm():  # it may be slow to answer
            assert time.monotonic() < end


def test_it_kills_when_the_deadline_passes_and_not_before(tmp_path: Path) -> None:
    with fencer(tmp_path / "fence.sock"), victim() as (process, known):
        armed = now_s()
        arm(tmp_path / "fence.sock", known, 1.5)
        assert process.wait(60) == -9
        assert now_s() - armed >= 1.5, "not before"


def test_a_disarmed_or_extended_deadline_kills_nobody(tmp_path: Path) -> None:
    disarmed, extended = tmp_path / "disarmed.sock", tmp_path / "extended.sock"
    with fencer(disarmed), fencer(extended):
        for _ in range(TRIES):
            with victim() as (one, first), victim() as (other, second):
                due = now_s() + 3.0
                arm(disarmed, first, 3.0)
                disarm(disarmed)
                arm(extended, second, 3.0)
                arm(extended, second, 600)
                if now_s() >= due:
                    continue  # too late to spare anybody: this computer was busy
                time.sleep(4.0)
                # The fencers were awake all the while.
                for path in (disarmed, extended):
                    with victim() as (witness, third):
                        arm(path, third, 0.0)
                        assert witness.wait(60) == -9
                assert one.poll() is None and other.poll() is None
                return
    raise AssertionError("never in time")


def test_a_restarted_fencer_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "fence.sock"
    with victim() as (process, known):
        with fencer(path):
            arm(path, known, 2.0)
        path.unlink()
        with fencer(path):
            assert process.wait(60) == -9


def test_after_a_pause_it_fences_before_it_ends(tmp_path: Path) -> None:
    """systemd, which a pause held up as well, finds the fencer silent for too long and ends it."""
    for number in range(TRIES):
        path = tmp_path / f"{number}.sock"
        with victim() as (process, known), fencer(path) as paused:
            due = now_s() + 0.5
            arm(path, known, 0.5)
            paused.send_signal(signal.SIGSTOP)
            if now_s() >= due:
                continue  # it may have fenced before it stood still: this computer was busy
            time.sleep(1.0)
            assert process.poll() is None, "nobody else fences"
            paused.send_signal(signal.SIGTERM)
            paused.send_signal(signal.SIGCONT)
            assert paused.wait(60) == 0
            assert process.wait(60) == -9
            return
    raise AssertionError("never in time")


def test_it_ends_at_once_when_nothing_is_due(tmp_path: Path) -> None:
    path = tmp_path / "fence.sock"
    with victim() as (process, known), fencer(path) as ended:
        arm(path, known, 60)
        ended.send_signal(signal.SIGTERM)
        assert ended.wait(60) == 0
        assert process.poll() is None


def test_a_later_process_with_the_same_number_is_spared(tmp_path: Path) -> None:
    with fencer(tmp_path / "fence.sock"), victim() as (process, known):
        arm(tmp_path / "fence.sock", Process(pid=known.pid, start=known.start - 1), 0.0)
        while (tmp_path / "fence.armed").exists():  # until it has decided
            time.sleep(0.02)
        assert process.poll() is None


def test_without_a_fencer_arming_says_no(tmp_path: Path) -> None:
    with victim() as (_, known), closing(Fence(tmp_path / "nobody.sock")) as fence:
        assert not fence.arm(known, now_s() + 1)
