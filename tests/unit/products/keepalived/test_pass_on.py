"""When a balancer passes the address on, look by look: the script with a clock, a HAProxy and an `ip` of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bastide.products.keepalived.render import render
from bastide.products.keepalived.view import AGAIN_S, PASS_ON_S, RETRY_S
from tests.unit.products.haproxy import scene

VIRTUAL = "192.0.2.10"
STAYS, PASSES = 0, 1


@dataclass
class Looks:
    """The script in a folder of its own."""

    root: Path

    def look(self, second: int, answer: str, *, holds: bool = True) -> int:
        """Its exit status at that second, where HAProxy says that."""
        (self.root / "uptime").write_text(f"{second}.37 1.00\n")
        self.program("nc.openbsd", f"printf '{answer}'")
        self.program("ip", f"echo '{VIRTUAL if holds else ''}' | grep .")
        script = self.root / "etc/bastide/keepalived/pass_on.sh"
        path = f"{self.root}/bin:{os.environ['PATH']}"
        return subprocess.run(["sh", str(script)], env={"PATH": path}, check=False).returncode

    def program(self, name: str, line: str) -> None:
        """Ours instead of the real one."""
        file = self.root / "bin" / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)


WELL, NOBODY, SILENT = "HTTP/1.1 200 OK\\r\\n", "HTTP/1.1 503 Service Unavailable\\r\\n", ""


@pytest.fixture
def looks(tmp_path: Path) -> Iterator[Looks]:
    made = Looks(tmp_path)
    scene.write_tree(render(scene.context(balancer={"virtual_ip": VIRTUAL, "interface": "pub0"})), tmp_path)
    script = tmp_path / "etc/bastide/keepalived/pass_on.sh"
    script.write_text(script.read_text().replace("/proc/uptime", str(tmp_path / "uptime")))
    (tmp_path / "bin").mkdir()
    made.program("logger", ":")
    (tmp_path / "run/bastide-vrrp/haproxy_down").write_text("0\n")
    with socket.socket(socket.AF_UNIX) as reach:
        reach.bind(str(tmp_path / "run/haproxy/reach.sock"))
        yield made


@pytest.mark.parametrize("answer", [NOBODY, SILENT], ids=["no web server is up", "HAProxy hangs"])
def test_for_some_seconds_and_again_after_a_minute(looks: Looks, answer: str) -> None:
    assert looks.look(99, WELL) == STAYS
    failing = [second for second in range(100, 100 + RETRY_S) if looks.look(second, answer) == PASSES]
    assert failing == list(range(100, 100 + PASS_ON_S))
    assert looks.look(100 + RETRY_S, answer) == PASSES, "the other may reach them by now"


def test_one_bad_look_moves_nothing_and_uses_nothing_up(looks: Looks) -> None:
    assert [looks.look(100, NOBODY), looks.look(101, WELL), looks.look(102, WELL)] == [PASSES, STAYS, STAYS]
    assert [looks.look(103, NOBODY), looks.look(104, NOBODY)] == [PASSES, PASSES]


def test_not_each_time_that_web_servers_come_and_go(looks: Looks) -> None:
    assert [looks.look(100, NOBODY), looks.look(101, NOBODY)] == [PASSES, PASSES]
    for second in range(105, 105 + AGAIN_S):
        assert looks.look(second, WELL) == STAYS
    assert looks.look(105 + AGAIN_S, NOBODY) == STAYS, "a second too early"
    for second in range(120, 121 + AGAIN_S):
        assert looks.look(second, WELL) == STAYS
    assert looks.look(121 + AGAIN_S, NOBODY) == PASSES


def test_not_what_it_does_not_hold_nor_when_it_cannot_ask(looks: Looks) -> None:
    assert looks.look(100, NOBODY, holds=False) == STAYS
    (looks.root / "run/bastide-vrrp/haproxy_down").write_text("1\n")
    assert looks.look(101, NOBODY) == STAYS, "its unit has said so already"
    (looks.root / "run/bastide-vrrp/haproxy_down").write_text("0\n")
    (looks.root / "run/haproxy/reach.sock").unlink()
    assert looks.look(102, SILENT) == STAYS


@pytest.mark.parametrize(
    ("balancer", "tracked"), [({}, True), ({"maintenance": True}, False)], ids=["as ever", "maintenance"]
)
def test_the_page_of_maintenance_stays_where_it_is(balancer: dict[str, bool], tracked: bool) -> None:
    fragment = render(scene.context(balancer={"virtual_ip": VIRTUAL, "interface": "pub0", **balancer}))
    (config,) = (file for file in fragment.files if file.path.endswith("keepalived.conf"))
    assert (b"track_script" in config.content) is tracked
