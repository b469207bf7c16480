"""A monitor's own questions are asked when a verification wants them to travel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from bastide.prober.canaries import send_canaries

QUERIES = [
    {"module": "site", "target": "https://198.18.0.10:443/", "hostname": "shop.test"},
    {"module": "web", "target": "https://10.213.0.12:8443/.bastide/health"},
]


@pytest.fixture
def exporter() -> Iterator[tuple[int, list[str]]]:
    """Something that answers as blackbox_exporter does; its port, and what it was asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"probe_success 1\n")

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


def test_every_question_of_a_monitor_is_asked_now(exporter: tuple[int, list[str]]) -> None:
    port, asked = exporter
    said = send_canaries({"probes": {"port": port, "queries": QUERIES}})
    assert set(said.values()) == {"answered: 200"} and len(said) == len(QUERIES)
    assert [urlsplit(path).path for path in asked] == ["/probe", "/probe"]
    assert [{k: v[0] for k, v in parse_qs(urlsplit(path).query).items()} for path in asked] == QUERIES


def test_an_exporter_that_is_not_there_is_named() -> None:
    said = send_canaries({"probes": {"port": 1, "queries": QUERIES}})
    assert all("refused" in words for words in said.values()), said
