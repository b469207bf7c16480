"""What one source may do, and what everybody is told while the site is away."""

from __future__ import annotations

import contextlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.products.haproxy import scene
from tests.unit.products.haproxy.test_behaviour import header, status
from tests.waiting import wait_for, wait_until

pytestmark = pytest.mark.skipif(not scene.has("haproxy", "curl"), reason="needs haproxy and curl")

LIMITS = {"requests": 10, "window": "60s", "connections": 4, "handshakes": 1000}


def await_idle(edge: scene.Edge) -> None:
    """Until the stage's own first look was counted, as a connection that is over: threads take them in their own time."""
    wait_for(lambda: edge.command("show table clients"), lambda said: "conn_cur=0" in said)


def is_served(edge: scene.Edge) -> bool:
    try:
        return status(edge.curl("/")) == 200
    except AssertionError:
        return False


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_too_many_requests_are_told_to_wait(tmp_path: Path, version: str) -> None:
    context = scene.context(ports=scene.moved_ports(), balancer={"rate_limit": LIMITS})
    with scene.web_server(context, "web1", tmp_path) as web, scene.edge(context, tmp_path) as edge:
        url = f"https://{scene.DOMAIN}:{edge.https}/?[1-14]"
        answers = edge.curl("/", version, "--resolve", f"{scene.DOMAIN}:{edge.https}:127.0.0.1", url)
        statuses = re.findall(r"HTTP/[0-9.]+ (\d+)", answers)
        # The last URL of the command line makes the fifteenth request.
        assert statuses == ["200"] * 10 + ["429"] * 5
        assert set(header(answers, "retry-after")) == {"60"}
        assert sum("/" in line for line in web.journal.read_text().splitlines()) == 10


def test_too_many_connections_are_refused_and_others_are_served(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports(), balancer={"rate_limit": {**LIMITS, "requests": 1000}})
    with scene.web_server(context, "web1", tmp_path), scene.edge(context, tmp_path) as edge:
        await_idle(edge)
        with contextlib.ExitStack() as held:
            for _ in range(4):
                held.enter_context(edge.connect())
            with pytest.raises(AssertionError, match=r"SSL_connect|reset|connect to server"):
                edge.curl("/")
            elsewhere = edge.curl("/", "--interface", "127.0.0.77")
            assert status(elsewhere) == 200
        # The edge learns in its own time that the others are gone.
        wait_until(lambda: is_served(edge))


def test_too_many_handshakes_are_refused(tmp_path: Path) -> None:
    limits = {**LIMITS, "requests": 1000, "handshakes": 6}
    context = scene.context(ports=scene.moved_ports(), balancer={"rate_limit": limits})
    with scene.edge(context, tmp_path) as edge:
        url = f"https://{scene.DOMAIN}:{edge.https}/"
        argv = ["curl", "-sko", "/dev/null", "--resolve", f"{scene.DOMAIN}:{edge.https}:127.0.0.1", url]
        await_idle(edge)
        refused = [subprocess.run(argv, check=False).returncode != 0 for _ in range(12)]
        # The stage's own first look counts as a connection.
        assert refused == [False] * 5 + [True] * 7


@pytest.mark.parametrize("page", [None, "<h1>Tea time</h1>"])
def test_maintenance_answers_everything_with_its_page(tmp_path: Path, page: str | None) -> None:
    texts = {} if page is None else {"balancer.maintenance_page": page}
    context = scene.context(ports=scene.moved_ports(), balancer={"maintenance": True}, texts=texts)
    with scene.web_server(context, "web1", tmp_path) as web, scene.edge(context, tmp_path) as edge:
        for answer in (edge.curl("/a"), edge.curl("/b", "-X", "POST"), edge.curl("/c", scheme="http")):
            assert status(answer) == 503
            assert header(answer, "retry-after") == ["30"]
            assert (page or "will be back soon") in answer
        assert not web.journal.exists()


def test_the_same_page_stands_in_when_no_web_server_is_up(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports(), texts={"balancer.maintenance_page": "<h1>Tea</h1>"})
    with scene.edge(context, tmp_path) as edge:
        answer = edge.curl("/")
    assert status(answer) == 503
    assert "<h1>Tea</h1>" in answer
    assert header(answer, "strict-transport-security")
