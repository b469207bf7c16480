"""Two real keepaliveds in network namespaces of their own: who holds the virtual address, and when it moves."""

from __future__ import annotations

import dataclasses
import os
import signal
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bastide.products.keepalived.render import render
from bastide.products.keepalived.view import AGAIN_S, PASS_ON_S
from tests.unit.products.haproxy import scene
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        os.geteuid() != 0 or not scene.has("keepalived", "nc", "nsenter", "unshare", "ip"),
        reason="needs root and keepalived",
    ),
]

VIRTUAL = "192.0.2.10"


class Reach(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HAProxy's word on whether it reaches a web server."""

    daemon_threads = True
    code = 200


class _Answer(BaseHTTPRequestHandler):
    server: Reach

    def do_GET(self) -> None:
        self.send_response(self.server.code)
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Once a second."""


@dataclass(kw_only=True)
class Balancer:
    """A network namespace (held by a sleeping process) in which keepalived runs."""

    holder: subprocess.Popen[bytes]
    address: str
    config: Path
    track: Path
    daemon: subprocess.Popen[bytes] | None = None
    reach: Reach

    def run(self, *argv: str) -> str:
        return subprocess.run(
            ["nsenter", "-t", str(self.holder.pid), "-n", *argv], check=True, capture_output=True, text=True
        ).stdout

    def start(self) -> None:
        with self.config.with_suffix(".log").open("ab") as log:
            self.daemon = subprocess.Popen(
                [
                    # Its unit puts it before others; here before all, or a busy computer keeps a holder so silent that
                    # the other one rightly takes over.
                    "chrt", "--fifo", "10",
                    "nsenter", "-t", str(self.holder.pid), "-n", "keepalived", "--dont-fork", "--vrrp",
                    "--log-console", "--use-file", str(self.config), "--pid", f"{self.config}.pid",
                    "--vrrp_pid", f"{self.config}.vrrp",
                ],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def has_a_network_of_its_own(self) -> bool:
        return Path(f"/proc/{self.holder.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    def holds(self) -> bool:
        return VIRTUAL in self.run("ip", "-4", "-o", "address", "show", "dev", "pub0")

    def haproxy(self, *, down: bool) -> None:
        self.track.write_text(f"{int(down)}\n")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Balancer, Balancer]]:
    context = scene.context(balancer={"virtual_ip": VIRTUAL, "interface": "pub0"})
    with ExitStack() as stack:
        balancers = []
        for name in ("lb1", "lb2"):
            host = context.topology.hosts[name]
            root = tmp_path / name
            config = scene.write_tree(render(dataclasses.replace(context, host=host)), root)
            holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
            stack.callback(holder.wait)
            stack.callback(holder.kill)
            reach = stack.enter_context(Reach(str(root / "run/haproxy/reach.sock"), _Answer))
            stack.callback(reach.shutdown)
            threading.Thread(target=reach.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            balancers.append(
                Balancer(
                    reach=reach,
                    holder=holder,
                    address=str(host.public),
                    config=config,
                    track=root / "run/bastide-vrrp/haproxy_down",
                )
            )
        first, second = balancers
        for balancer in balancers:
            wait_until(balancer.has_a_network_of_its_own)
        first.run(
            "ip", "link", "add", "pub0", "type", "veth", "peer", "name", "pub0", "netns", str(second.holder.pid)
        )
        for balancer in balancers:
            balancer.run("ip", "address", "add", f"{balancer.address}/24", "dev", "pub0")
            balancer.run("ip", "link", "set", "pub0", "up")
            balancer.run("ip", "link", "set", "lo", "up")
            balancer.haproxy(down=False)
        yield first, second
        for balancer in balancers:
            if balancer.daemon:
                balancer.daemon.terminate()
                balancer.daemon.wait()


def await_held(holder: Balancer) -> None:
    """How long that takes is measured in a lab, under load; a busy machine may take its time."""
    wait_until(holder.holds, every_s=0.005)


def test_the_address_moves_when_its_holder_fails_and_never_back_by_itself(pair: tuple[Balancer, Balancer]) -> None:
    first, second = pair
    # Who comes up late takes nothing from who holds the address.
    first.start()
    await_held(first)
    second.start()
    wait_until(lambda: not second.holds())

    first.haproxy(down=True)
    await_held(second)
    wait_until(lambda: not first.holds())

    first.haproxy(down=False)
    time.sleep(1.0)
    assert second.holds() and not first.holds(), "it came back by itself"


def test_who_reaches_no_web_server_passes_the_address_on_and_once(pair: tuple[Balancer, Balancer]) -> None:
    first, second = pair
    first.start()
    await_held(first)
    second.start()
    second.reach.code = 503
    time.sleep(3.0)
    assert first.holds() and not second.holds(), "the control: who does not hold it has nothing to pass on"

    second.reach.code, first.reach.code = 200, 503
    await_held(second)
    wait_until(lambda: not first.holds())
    time.sleep(PASS_ON_S + 2.0)
    assert second.holds() and not first.holds(), "it came back by itself"

    second.reach.code = 503
    await_held(first)
    wait_until(lambda: not second.holds())
    time.sleep(PASS_ON_S + 2.0)
    assert first.holds() and not second.holds(), "nobody reaches one: somebody has to say so"

    first.reach.code = second.reach.code = 200
    time.sleep(AGAIN_S + 3.0)
    first.reach.code = 503
    await_held(second)


def test_of_two_owners_one_yields(pair: tuple[Balancer, Balancer]) -> None:
    first, second = pair
    first.start()
    await_held(first)
    second.start()
    time.sleep(0.5)
    frozen = int(Path(f"{first.config}.vrrp").read_text())
    os.kill(frozen, signal.SIGSTOP)
    try:
        await_held(second)
        assert first.holds(), "a frozen holder cannot let go"
    finally:
        os.kill(frozen, signal.SIGCONT)
    # Of two it is decided within an advertisement or two; then it stays so.
    wait_until(lambda: first.holds() != second.holds())
    time.sleep(1.0)
    assert first.holds() != second.holds()


def test_without_haproxy_nobody_holds_the_address(pair: tuple[Balancer, Balancer]) -> None:
    for balancer in pair:
        balancer.track.unlink()
        balancer.start()
    time.sleep(1.5)
    assert not any(balancer.holds() for balancer in pair)
    pair[1].haproxy(down=False)
    await_held(pair[1])


def test_a_killed_keepalived_leaves_two_owners_until_its_unit_cleans_up(pair: tuple[Balancer, Balancer]) -> None:
    first, second = pair
    first.start()
    await_held(first)
    second.start()
    time.sleep(1.0)
    assert first.daemon
    # The parent stands still first: it would restart its child, and a child whose parent is gone cleans up.
    parent, child = (int(Path(f"{first.config}.{kind}").read_text()) for kind in ("pid", "vrrp"))
    for pid, number in ((parent, signal.SIGSTOP), (child, signal.SIGKILL), (parent, signal.SIGKILL)):
        os.kill(pid, number)
    first.daemon.wait()
    await_held(second)
    assert first.holds(), "the reason for ExecStopPost is gone"
    unit = (first.config.parents[3] / "etc/systemd/system/keepalived.service").read_text()
    (cleaning,) = (line for line in unit.splitlines() if line.startswith("ExecStopPost="))
    first.run("sh", "-c", cleaning.removeprefix("ExecStopPost=-"))
    wait_until(lambda: not first.holds() and second.holds())
