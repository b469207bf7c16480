"""Connections are counted as the kernel's tables show them."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from bastide.host.draining import drain_unit, lift_drains
from bastide.host.machine import Machine
from bastide.host.manifest import UnitEntry
from bastide.host.settling import await_settled
from tests.unit.host.conftest import Bench


def unit(*sockets: str) -> UnitEntry:
    return {
        "name": "app.service", "restart_on": [], "reload_on": [], "kind": "service", "may_wait": False,
        "stops_before": [], "drain_flag": "/run/bastide/drain/app", "drains": list(sockets),
    }  # fmt: skip


def real_tables(bench: Bench) -> Machine:
    """The bench's machine, with the kernel's tables of this computer."""
    (bench.path("/proc/net")).parent.mkdir(parents=True, exist_ok=True)
    bench.path("/proc/net").symlink_to("/proc/net")
    return bench.machine


def test_running_requests_are_waited_for_and_no_longer_than_told(bench: Bench, tmp_path: Path) -> None:
    machine = real_tables(bench)
    name = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket() as loopback:
        listener.bind(name)
        listener.listen()
        loopback.bind(("127.0.0.1", 0))
        loopback.listen()
        place = f"127.0.0.1:{loopback.getsockname()[1]}"
        began = time.monotonic()
        drain_unit(machine, unit(name, place), 600.0, bench.tell)
        assert time.monotonic() - began < 300, "nobody is connected"
        assert bench.told[-1] == ("drained", {"name": "app.service", "left": 0})
        # One that nobody has accepted yet counts too: its request would be lost.
        with socket.socket(socket.AF_UNIX) as waiting, socket.create_connection(loopback.getsockname()):
            waiting.connect(name)
            drain_unit(machine, unit(name, place), 0.3, bench.tell)
            assert bench.told[-1] == ("drained", {"name": "app.service", "left": 2})
    assert bench.path("/run/bastide/drain/app").exists()
    lift_drains(machine)
    assert not bench.path("/run/bastide/drain").exists()


def test_a_unit_without_a_flag_is_not_drained(bench: Bench) -> None:
    plain = unit()
    plain["drain_flag"] = ""
    drain_unit(bench.machine, plain, 5.0, bench.tell)
    assert bench.told == []


def test_nothing_started_is_nothing_to_wait_for(bench: Bench) -> None:
    began = time.monotonic()
    await_settled(bench.machine, [], 600.0)
    await_settled(bench.machine, ["a.service"], 0.0)
    assert time.monotonic() - began < 300
