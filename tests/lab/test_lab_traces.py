"""Labs side by side, and that a lab leaves nothing behind, however its raising ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bastide.lab.image import DEFAULT_PACKAGES, ensure_image
from bastide.lab.machines import destroy, down, machine_state
from bastide.lab.state import find_networks
from tests.lab.machines_kit import SmallLab, small_lab
from tests.lab.traces import find_traces
from tests.waiting import wait_for

pytestmark = pytest.mark.lab

KINDS = {"directories", "links", "namespaces", "cgroups", "processes"}


def test_two_labs_live_side_by_side_and_one_ends_without_the_other(tmp_path: Path) -> None:
    with small_lab("test-one", tmp_path, "web1") as one, small_lab("test-two", tmp_path, "web1") as two:
        assert one.networks.index != two.networks.index
        one.up()
        two.up()
        # The check can fail: while a lab is up, it finds every kind of thing.
        assert set(find_traces(one.name, one.networks)) >= KINDS
        before = [state.pid for state in machine_state(two.name)]
        destroy(one.name)
        await_traces(one, set())
        two.await_answers("web1")
        assert [state.pid for state in machine_state(two.name)] == before


def test_a_lab_that_went_down_goes_on_with_its_disks(tmp_path: Path) -> None:
    with small_lab("test-down", tmp_path, "web1") as lab:
        lab.up()
        lab.ask("web1", "echo kept >/root/file")
        down(lab.name)
        await_traces(lab, {"directories"})
        down(lab.name)
        lab.up()
        assert lab.ask("web1", "cat /root/file") == "kept"


def test_machines_outlive_the_command_that_raised_them(tmp_path: Path) -> None:
    with small_lab("test-outlive", tmp_path, "web1") as lab:
        with raise_elsewhere(lab) as raising:
            assert raising.wait(120) == 0
        lab.await_answers("web1")


MOMENTS = pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2, 0.6])


@MOMENTS
def test_a_raising_that_was_killed_can_be_finished(tmp_path: Path, after_s: float) -> None:
    with small_lab("test-killed", tmp_path, "web1", "web2", "web3") as lab:
        kill_raising(lab, after_s)
        lab.up()
        lab.await_answers("web1", "web2", "web3")


@MOMENTS
def test_a_raising_that_was_killed_can_be_removed(tmp_path: Path, after_s: float) -> None:
    with small_lab("test-killed", tmp_path, "web1", "web2", "web3") as lab:
        kill_raising(lab, after_s)
        destroy(lab.name)
        await_traces(lab, set())
        assert find_networks(lab.name) is None
        destroy(lab.name)


def await_traces(lab: SmallLab, kinds: set[str]) -> None:
    """Until these kinds alone are left: what the end of another ends (a starter, a scope) does so in its own time."""
    wait_for(lambda: find_traces(lab.name, lab.networks), lambda found: set(found) == kinds)


def kill_raising(lab: SmallLab, after_s: float) -> None:
    """Raise the lab in a process that is killed -9 that long after it began to."""
    with raise_elsewhere(lab) as raising:
        assert raising.stdout is not None
        assert raising.stdout.readline() == "go\n"
        time.sleep(after_s)
        raising.send_signal(signal.SIGKILL)


def raise_elsewhere(lab: SmallLab) -> subprocess.Popen[str]:
    """Another process that raises the lab and ends; it prints `go` when it is about to."""
    ensure_image(DEFAULT_PACKAGES, lambda _: None)
    script = (
        "import sys; from pathlib import Path; from tests.lab.machines_kit import *\n"
        "from tests.lab.machines_kit import reserve_networks\n"
        f"networks = reserve_networks({lab.name!r})\n"
        f"records = {[machine.to_record() for machine in lab.machines]!r}\n"
        "machines = tuple(MachineSpec.from_record(record) for record in records)\n"
        f"lab = SmallLab(name={lab.name!r}, networks=networks, machines=machines, keys=Path({str(lab.keys)!r}))\n"
        "print('go', flush=True)\n"
        "lab.up()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment, cwd=root
    )
