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
        assert hello.run("plan", "--exit-code").returncode == 0
        assert hello.status()["healthy"]


@pytest.mark.parametrize(("step", "after_s"), MOMENTS[1::2])
def test_destroy_after_a_kill_leaves_no_trace(step: str, after_s: float) -> None:
    with scratch_project("hello") as hello:
        assert kill_up(hello, step, after_s), "it had finished before it was killed"
        lab = open_project(hello.spec).lab_name
        networks = find_networks(lab)
        assert networks is not None
        assert {"directories", "links", "state"} <= traces(lab, networks, hello).keys(), "the control"
        hello.do("destroy", "--yes")
        assert traces(lab, networks, hello) == {}
        hello.do("destroy", "--yes")
