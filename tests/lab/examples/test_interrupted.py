"""`up` is killed -9 at every stage: run again it finishes, and `destroy` removes whatever there was."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from bastide.lab.names import LabNetworks
from bastide.lab.state import find_networks
from bastide.project.opening import open_project
from tests.lab.commands import Commands, scratch_project
from tests.lab.traces import find_traces
from tests.waiting import wait_for

pytestmark = pytest.mark.lab

MOMENTS = [("machines", 0.1), ("machines", 1.5), ("client on the internet side", 0.2), ("compile", 0.4),
           ("apply", 0.3), ("apply", 1.5), ("apply", 4.0)]  # fmt: skip
"""A step that has begun, and how many seconds later the process dies."""


def kill_up(commands: Commands, step: str, after_s: float) -> bool:
    """Raise, and kill the process; whether it was still at work."""
    with commands.start("up") as up:
        assert up.stderr is not None
        for line in up.stderr:
            if line.strip() == f"· {step}":
                break
        time.sleep(after_s)
        alive = up.poll() is None
        up.send_signal(signal.SIGKILL)
    return alive


def kill_at_work(commands: Commands, lab: str, step: str, after_s: float) -> LabNetworks:
    """Kill one that has made something (the control) and has not finished; on a busy computer again."""
    for _ in range(3):
        at_work, networks = kill_up(commands, step, after_s), find_networks(lab)
        if at_work and networks and {"directories", "links", "state"} <= traces(lab, networks, commands).keys():
            return networks
        commands.do("destroy", "--yes")
    raise AssertionError(f"killed {after_s} s after {step!r} it had made nothing, or had finished")


def traces(lab: str, networks: LabNetworks, commands: Commands) -> dict[str, list[str]]:
    """What is left of a lab anywhere on this computer."""
    found = find_traces(lab, networks)
    table = [line for line in Path("/etc/hosts").read_text().splitlines() if lab in line]
    state = [str(commands.state)] if commands.state.exists() else []
    return found | {kind: things for kind, things in (("names", table), ("state", state)) if things}


def test_up_that_was_killed_is_finished_by_the_next() -> None:
    with scratch_project("hello") as hello:
        cut_short = [kill_up(hello, step, after_s) for step, after_s in MOMENTS[::2]]
        assert cut_short[0]
        url = json.loads(hello.do("up", "--json"))["url"]
        assert hello.ask("client", f"curl -s {url}") == "Hello from all1."
        hello.await_healthy()
        assert hello.run("plan", "--exit-code").returncode == 0


@pytest.mark.parametrize(("step", "after_s"), MOMENTS[1::2])
def test_destroy_after_a_kill_leaves_no_trace(step: str, after_s: float) -> None:
    with scratch_project("hello") as hello:
        lab = open_project(hello.spec).lab_name
        networks = kill_at_work(hello, lab, step, after_s)
        hello.do("destroy", "--yes")
        # A starter that was killed with `up` ends by itself, in its own time.
        wait_for(lambda: traces(lab, networks, hello), lambda left: left == {})
        hello.do("destroy", "--yes")
