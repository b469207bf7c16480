"""The whiteboard's layout works, in plain text inside as it says, and is watched: one balancer, two servers that are
everything, one monitor; raised once."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.lab.commands import Commands, scratch_project
from tests.lab.monitoring.watched import Watched, wait_for
from tests.lab.shop.test_faults import broken, databases, post_ledger, read_ledger
from tests.lab.shop.test_wires import tell_ledger
from tests.lab.wire import capture
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.alone]

WANTED = {"lb1", "server1", "server2", "monitor1"}
SERVERS = ["server1", "server2"]
FRESH_S = 60.0


@pytest.fixture(scope="module")
def whiteboard() -> Iterator[Commands]:
    with scratch_project("shop", environment="whiteboard") as commands:
        commands.do("up", "--json", timeout_s=300)
        yield commands


def test_every_host_of_the_whiteboard_is_fresh_within_seconds(whiteboard: Commands) -> None:
    commands = whiteboard
    began = time.monotonic()
    watched = Watched(commands=commands, facts={})
    wait_for(
        lambda: {h["name"] for h in watched.state()["hosts"] if h["state"] == "fresh"},
        lambda fresh: fresh == WANTED,
        within_s=FRESH_S,
    )
    print(f"\nall fresh {time.monotonic() - began:.1f} s after `up` was done")
    wait_for(
        lambda: commands.do("top", "--once"),
        lambda said: all(f"host {name}: fresh" in said for name in WANTED),
        within_s=FRESH_S,
    )
    before = watched.requests(SERVERS, service="web", route="/static/")
    shown = watched.state()["counted"]["edge"]["/static/"]
    commands.ask("client", "ab -q -k -n 60 -c 2 https://shop.test/static/1k.txt")
    wait_for(
        lambda: watched.requests(SERVERS, service="web", route="/static/") - before,
        lambda n: n >= 60,
        within_s=60,
    )
    wait_for(lambda: watched.state()["counted"]["edge"]["/static/"] - shown, lambda n: n >= 60, within_s=60)
    assert watched.requests(SERVERS, service="web", route="/static/") - before == 60
    assert watched.state()["counted"]["edge"]["/static/"] - shown == 60

    done = commands.run("verify", "--json", "wires", timeout_s=240)
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, done.stderr
    hop = checks["wires.balancer-web"]
    assert hop["result"] == "proven" and "in clear" in hop["claim"]
    read = {word for words in hop["proof"]["readable"].values() for word in words}
    assert {"url", "header", "body"} <= read, "the packets of the plaintext hop show what visitors send"
    assert checks["wires.internet-https"]["result"] == checks["wires.host-monitor"]["result"] == "proven"


def test_the_whiteboard_serves_in_plain_text_inside_as_its_spec_says(whiteboard: Commands) -> None:
    """Also the control of the tests of the wires: here the same capture does see what visitors send."""
    url = "https://shop.test"
    assert "Hearth" in whiteboard.ask("client", f"curl -s {url}/")
    word = f"canary-{uuid.uuid4().hex}"
    with capture(whiteboard, "lb1") as taken:
        assert tell_ledger(whiteboard, word, times=2) == ["201", "201"]
    assert taken.ports[8080] > 10 and taken.shows(word)
    assert whiteboard.ask("lb1", f"curl -s http://{private(whiteboard, 'server1')}:8080/whoami").startswith("{")
    whiteboard.await_healthy()


def test_without_automatic_failover_a_lost_primary_is_waited_for(whiteboard: Commands) -> None:
    """Also the control of the shop's takeover: here nobody takes over, and nothing is acknowledged meanwhile."""
    whiteboard.await_healthy()
    found = databases(whiteboard)
    primary = next(name for name, role in found.items() if role == "primary")
    acknowledged, later = f"primary-{uuid.uuid4().hex}", f"primary-{uuid.uuid4().hex}"
    assert post_ledger(whiteboard, acknowledged) == "201"
    page = "curl -s -o /dev/null -m 10 -w '%{http_code}' https://shop.test/ || true"
    with broken(whiteboard, "kill", primary, "start"):
        deadline = time.monotonic() + 60
        while whiteboard.ask("client", page) == "200":
            assert time.monotonic() < deadline, "nobody can say any more how old the replica's data are"
            time.sleep(0.5)
        assert not post_ledger(whiteboard, later).startswith("20"), "without a primary nothing is acknowledged"
        whiteboard.do("lab", "start", primary)
        began = time.monotonic()
        assert post_ledger(whiteboard, later, patience_s=60) in ("200", "201")
        print(f"\nwrites again {time.monotonic() - began:.1f} s after {primary} was switched on")
        wait_until(lambda: read_ledger(whiteboard, acknowledged) == "200", every_s=0.5)
    wait_until(lambda: databases(whiteboard) == found, every_s=0.5)


def private(commands: Commands, name: str) -> str:
    return next(str(host["address"]) for host in commands.status()["hosts"] if host["name"] == name)
