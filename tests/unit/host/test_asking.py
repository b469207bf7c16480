"""A balancer's host asks web servers in HAProxy's place: who is well, who is not, who is gone; real curl on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bastide.host.balancing import ask_servers
from bastide.host.machine import Machine
from bastide.products.haproxy.servers import CHECK_AGENT, CHECK_PATH, describe_check
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import make_spec


class Web(BaseHTTPRequestHandler):
    """Answers the balancer's question with its server's status, and everybody else's with 404."""

    def do_GET(self) -> None:
        asked = (self.path, self.headers["Host"], self.headers["User-Agent"]) == (CHECK_PATH, "a.test", CHECK_AGENT)
        self.send_response(self.server.status if asked else 404)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    servers = {name: ThreadingHTTPServer(("127.0.0.1", 0), Web) for name in ("web1", "web2")}
    for (_, server), status in zip(servers.items(), (200, 503), strict=True):
        server.status = status  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    found = {name: f"http://127.0.0.1:{s.server_port}{CHECK_PATH}" for name, s in servers.items()}
    yield {**found, "web3": f"http://127.0.0.1:1{CHECK_PATH}"}
    for server in servers.values():
        server.shutdown()
        server.server_close()


def test_who_is_well_is_who_answers_the_balancers_question(urls: dict[str, str]) -> None:
    check = {
        "urls": urls, "resolve": [], "headers": ["Host: a.test", f"User-Agent: {CHECK_AGENT}"], "ca": "", "client": "",
        "within_s": 60,
    }  # fmt: skip
    machine = Machine(Path("/"))
    assert ask_servers(machine, check, list(urls)) == ["web1"]
    assert ask_servers(machine, check, ["web2", "web3"]) == []
    assert ask_servers(machine, check, []) == []
    assert ask_servers(machine, {**check, "headers": ["Host: a.test"]}, ["web1"]) == [], "only asked as it asks"


def test_the_question_is_put_as_haproxy_puts_it() -> None:
    hosts = {"lb1": ["balancer"], "web1": ["web"], "web2": ["web"]}
    topology = resolve_topology(make_spec(hosts, app={"kind": "static", "path": "./site"}))
    check, port = describe_check(topology), topology.flow("balancer-web").port
    assert set(check["urls"]) == {"web1", "web2"}
    address = topology.hosts["web1"].private
    assert check["urls"]["web1"].startswith("https://") and check["urls"]["web1"].endswith(f":{port}{CHECK_PATH}")
    assert any(entry.endswith(f":{port}:{address}") for entry in check["resolve"])
