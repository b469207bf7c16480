"""A web server dies: what its clients notice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.products.haproxy import scene
from tests.unit.products.haproxy.test_behaviour import status
from tests.waiting import wait_for, wait_until

pytestmark = pytest.mark.skipif(not scene.has("haproxy", "curl"), reason="needs haproxy and curl")

UNLIMITED = {"requests": 10**6, "connections": 1000, "handshakes": 10**6}


def load(edge: scene.Edge, until: threading.Event, told: Counter[int], slowest: list[float]) -> None:
    """GETs on one kept connection, one after the other."""
    client = edge.client()
    while not until.is_set():
        begun = time.monotonic()
        client.request("GET", "/load")
        response = client.getresponse()
        response.read()
        told[response.status] += 1
        slowest.append(time.monotonic() - begun)
    client.close()


@pytest.mark.parametrize("encryption", ["mtls", "plain"])
def test_a_killed_web_server_costs_no_get(tmp_path: Path, encryption: str) -> None:
    context = scene.context(
        ports=scene.moved_ports(), balancer={"rate_limit": UNLIMITED}, tls={"inside": encryption}
    )
    with contextlib.ExitStack() as stack:
        doomed = stack.enter_context(scene.web_server(context, "web1", tmp_path))
        other = stack.enter_context(scene.web_server(context, "web2", tmp_path))
        edge = stack.enter_context(scene.edge(context, tmp_path))
        until, told, times = threading.Event(), Counter[int](), list[float]()
        clients = [threading.Thread(target=load, args=(edge, until, told, times)) for _ in range(6)]
        for client in clients:
            client.start()
        try:
            wait_until(lambda: min(doomed.received("/load"), other.received("/load")) > 50, every_s=0.1)
            doomed.process.kill()
            before = other.received("/load")
            # Long enough for the edge to look for its servers more than once.
            time.sleep(1.8)
            wait_until(lambda: other.received("/load") > before + 50, every_s=0.1)
        finally:
            until.set()
            for client in clients:
                client.join()
        # Both served before, requests were in flight, and every one of them was answered.
        assert set(told) == {200}, told
        assert max(times) < 10
        wait_for(
            lambda: [f for f in edge.requests_logged() if f[13] != "0"], bool
        )  # or else nothing had to be repeated


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("path", ["/die", "/die-later"])
def test_a_post_that_was_sent_is_not_repeated_by_anybody(tmp_path: Path, version: str, path: str) -> None:
    """curl repeats by itself what it is told never ran; a kept connection makes the edge tell it so."""
    context = scene.context(ports=scene.moved_ports())
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(scene.web_server(context, name, tmp_path)) for name in ("web1", "web2")]
        edge = stack.enter_context(scene.edge(context, tmp_path))
        url = f"https://{scene.DOMAIN}:{edge.https}/{{before,{path[1:]}}}"
        resolve = f"{scene.DOMAIN}:{edge.https}:127.0.0.1"
        answer = edge.curl("/first", version, "-d", "order=1", "--resolve", resolve, url)
        assert re.findall(r"HTTP/[0-9.]+ (\d+)", answer) == ["200", "502", "200"]
        assert sum(web.received(path) for web in webs) == 1
        assert [(f[2], f[11]) for f in edge.await_logged(1, path)] == [("502", "-")]


def test_a_get_that_was_sent_is_repeated_on_another(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports())
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(scene.web_server(context, name, tmp_path)) for name in ("web1", "web2")]
        edge = stack.enter_context(scene.edge(context, tmp_path))
        # A request that kills whoever serves it is tried again, until nobody is left.
        assert status(edge.curl("/die")) in {502, 503}
        assert [web.received("/die") for web in webs] == [1, 1]


def test_a_post_to_a_server_that_refuses_goes_to_another(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports())
    with scene.web_server(context, "web2", tmp_path) as web, scene.edge(context, tmp_path) as edge:
        answers = [status(edge.curl("/post", "-X", "POST", "-d", "order=1")) for _ in range(4)]
        assert answers == [200] * 4
        assert web.received("/post") == 4


@pytest.mark.parametrize(
    ("path", "method", "tries"), [("/status/502", "GET", 4), ("/status/502", "POST", 1), ("/status/503", "GET", 1)]
)
def test_what_is_repeated(tmp_path: Path, path: str, method: str, tries: int) -> None:
    context = scene.context(ports=scene.moved_ports())
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(scene.web_server(context, name, tmp_path)) for name in ("web1", "web2")]
        edge = stack.enter_context(scene.edge(context, tmp_path))
        assert status(edge.curl(path, "-X", method)) == int(path[-3:])
        assert sum(web.received(path) for web in webs) == tries


def test_a_web_server_with_a_siblings_certificate_gets_nothing(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports())
    with (
        scene.web_server(context, "web1", tmp_path, answer_as="web2") as impostor,
        scene.edge(context, tmp_path) as edge,
    ):
        assert status(edge.curl("/")) == 503
        assert impostor.received("/") == 0


@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0 or not scene.has("unshare", "nft", "ip"), reason="needs root and nft")
def test_a_machine_that_vanishes_costs_no_get(tmp_path: Path) -> None:
    """No reset, no refusal: only acknowledgements that do not come."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "tests.unit.products.haproxy.dead_machine", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found = json.loads(done.stdout)
    assert {line.rsplit(" ", 1)[1] for line in found["told"]} == {"200"}, found
    assert 1 < found["longest"] < 15


def test_it_says_whether_any_web_server_is_there(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports(), balancer={"virtual_ip": "192.0.2.10", "interface": "pub0"})
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(scene.web_server(context, name, tmp_path)) for name in ("web1", "web2")]
        edge = stack.enter_context(scene.edge(context, tmp_path))
        asked = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket"]
        asked += [str(edge.root / "run/haproxy/reach.sock"), "http://reach/"]

        def said() -> str:
            return subprocess.run(asked, check=True, capture_output=True, text=True).stdout

        wait_until(lambda: "UP" in edge.command("show stat") and said() == "200")
        servers[0].process.kill()
        down = re.compile(r"^web,web1,.*,DOWN,", re.MULTILINE)
        wait_until(lambda: down.search(edge.command("show stat")))
        assert said() == "200", "one is left"
        servers[1].process.kill()
        wait_until(lambda: said() == "503")
