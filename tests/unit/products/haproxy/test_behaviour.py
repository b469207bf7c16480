"""What the edge does to requests: the real HAProxy before web servers that say what reached them."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bastide.agent.counting import Counting
from bastide.agent.logs import derive_layouts
from bastide.agent.settings import Log
from bastide.products.haproxy.view import FAILED_CONNECTION_FIELDS, FRONTENDS, REQUEST_FIELDS
from tests.unit.products.haproxy import scene
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(not scene.has("haproxy", "curl"), reason="needs haproxy and curl")


@dataclass(frozen=True, kw_only=True)
class Stage:
    edge: scene.Edge
    web: scene.Web

    def seen(self, path: str, *options: str) -> dict[str, Any]:
        """What the web server received."""
        body = self.edge.curl(path, *options).split("\r\n\r\n")[-1]
        seen: dict[str, Any] = json.loads(body)
        return seen


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("edge")
    context = scene.context(ports=scene.moved_ports())
    with scene.web_server(context, "web1", root) as web, scene.edge(context, root) as edge:
        yield Stage(edge=edge, web=web)


def status(answer: str) -> int:
    """Of the last head in curl's output."""
    return int(re.findall(r"^HTTP/[0-9.]+ (\d+)", answer, flags=re.M)[-1])


def header(answer: str, name: str) -> list[str]:
    return re.findall(rf"^{name}: (.*?)\r?$", answer, flags=re.M | re.I)


def test_http_is_sent_to_https_with_its_path(stage: Stage) -> None:
    answer = stage.edge.curl("/a//b?c=d&e=%2e", scheme="http")
    assert status(answer) == 301
    assert header(answer, "location") == [f"https://{scene.DOMAIN}:{stage.edge.https}/a//b?c=d&e=%2e"]
    assert not header(answer, "strict-transport-security")


def test_http_is_sent_nowhere_for_another_host(stage: Stage) -> None:
    answer = stage.edge.curl("/", host="evil.example", scheme="http")
    assert status(answer) == 421
    assert not header(answer, "location")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_https_reaches_a_web_server(stage: Stage, version: str) -> None:
    answer = stage.edge.curl("/", version)
    assert answer.startswith("HTTP/2" if version == "--http2" else "HTTP/1.1")
    assert status(answer) == 200
    assert header(answer, "strict-transport-security") == ["max-age=63072000"]
    assert len(header(answer, "x-request-id")) == 1


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_another_host_is_misdirected(stage: Stage, version: str) -> None:
    answer = stage.edge.curl("/", version, "-k", host="evil.example")
    assert status(answer) == 421


def test_a_known_host_with_its_port_and_in_capitals_is_known(stage: Stage) -> None:
    assert status(stage.edge.curl("/", "-H", "Host: WWW.Example.com:8443")) == 200


def test_what_a_client_says_about_itself_is_replaced(stage: Stage) -> None:
    spoofed = {
        "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil",
        "X-Forwarded-Prefix": "/evil", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Request-ID": "evil",
        "True-Client-IP": "6.6.6.6", "Proxy": "http://evil", "X-Original-URL": "/admin",
    }  # fmt: skip
    for version in ("--http1.1", "--http2"):
        seen = stage.seen("/", version, *(o for k, v in spoofed.items() for o in ("-H", f"{k}: {v}")))
        received = {k.lower(): v for k, v in seen["headers"]}
        assert not [pair for pair in seen["headers"] if "evil" in pair[1] or "6.6.6.6" in pair[1]]
        assert received["x-forwarded-for"] == received["x-real-ip"] == "127.0.0.1"
        assert received["x-forwarded-proto"] == "https"
        assert received["x-forwarded-host"] == scene.DOMAIN
        assert received["forwarded"] == f"for=127.0.0.1;host={scene.DOMAIN};proto=https"
        assert re.fullmatch(r"[0-9a-f-]{36}", received["x-request-id"])
        assert sum(k.lower() == "x-request-id" for k, _ in seen["headers"]) == 1


def test_an_address_of_version_6_is_quoted(stage: Stage) -> None:
    body = stage.edge.curl("/", "--resolve", f"{scene.DOMAIN}:{stage.edge.https}:[::1]").split("\r\n\r\n")[-1]
    received = {k.lower(): v for k, v in json.loads(body)["headers"]}
    assert received["forwarded"] == f'for="[::1]";host={scene.DOMAIN};proto=https'


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("/x/../admin", "/admin"),
        ("/x/%2e%2e/admin", "/admin"),
        ("//admin", "/admin"),
        ("/%61dmin", "/admin"),
        ("/../../admin", "/admin"),
        ("/a%2fb", "/a%2Fb"),
        ("/a/./b", "/a/b"),
        ("/plain?q=%2e%2e//x", "/plain?q=..//x"),
    ],
)
def test_a_path_has_one_spelling(stage: Stage, sent: str, received: str) -> None:
    assert stage.seen(sent)["path"] == received


@pytest.mark.parametrize(
    "path",
    [
        "/.bastide/health",
        "//.bastide/health",
        "/x/%2e%2e/.bast%69de/health",
        "/.bastide",
        "/.bastide%2fhealth",
    ],
)
def test_our_own_paths_are_hidden(stage: Stage, path: str) -> None:
    answer = stage.edge.curl(path)
    assert status(answer) == 404
    assert "There is nothing here" in answer


@pytest.mark.parametrize(
    "path", ["/x%2f..%2f.bastide/health", "/%2f.bastide/health", "/static/..%2f", "/..%2f..%2fetc/passwd", "/.%2fx"]
)
def test_steps_behind_an_encoded_slash_are_refused(stage: Stage, path: str) -> None:
    assert status(stage.edge.curl(path)) == 400
    assert stage.seen("/a%2f.b/c%2f..d")["path"] == "/a%2F.b/c%2F..d", (
        "a slash that hides no step is the application's"
    )


def test_trace_is_not_served(stage: Stage) -> None:
    assert status(stage.edge.curl("/", "-X", "TRACE")) == 405


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_large_upload_passes_whole(stage: Stage, tmp_path: Path, version: str) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * (5 << 20))
    assert stage.seen("/upload", version, "--data-binary", f"@{upload}")["body"] == 5 << 20


SECOND = b"GET /smuggled HTTP/1.1\r\nHost: @\r\n\r\n"
SMUGGLING = {
    "length and chunks": b"POST /s1 HTTP/1.1\r\nHost: @\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n"
    + b"\r\n0\r\n\r\n"
    + SECOND,
    "two lengths": b"POST /s2 HTTP/1.1\r\nHost: @\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + SECOND,
    "signed length": b"POST /s3 HTTP/1.1\r\nHost: @\r\nContent-Length: +5\r\n\r\nhello",
    "odd coding": b"POST /s4 HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"POST /s5 HTTP/1.1\r\nHost: @\r\nContent-Length : 5\r\n\r\nhello",
    "underscore": b"GET /s6 HTTP/1.1\r\nHost: @\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n",
    "folded": b"GET /s7 HTTP/1.1\r\nHost: @\r\nX-A: 1\r\n Content-Length: 5\r\n\r\n",
    "two hosts": b"GET /s8 HTTP/1.1\r\nHost: @\r\nHost: evil.example\r\n\r\n",
    "host unlike target": b"GET http://evil.example/s9 HTTP/1.1\r\nHost: @\r\n\r\n",
    "bare newline in name": b"GET /s10 HTTP/1.1\r\nHost: @\r\nX\nY: 1\r\n\r\n",
    "broken escape": b"GET /%zz/s11 HTTP/1.1\r\nHost: @\r\n\r\n",
    "bad chunk": b"POST /s12 HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_an_ambiguous_request_opens_no_second_one(stage: Stage, name: str) -> None:
    answer = stage.edge.raw(SMUGGLING[name].replace(b"@", scene.DOMAIN.encode()))
    assert stage.web.received("/smuggled") == 0
    assert answer.count(b"HTTP/1.1 200") <= (name in {"length and chunks", "folded"})
    if name not in {"length and chunks", "folded"}:
        assert re.match(rb"HTTP/1\.1 4\d\d", answer), answer


def test_a_slow_head_and_a_slow_small_body_are_cut(stage: Stage) -> None:
    host = scene.DOMAIN.encode()
    slow = (
        b"GET /slow HTTP/1.1\r\nHost: " + host + b"\r\n",
        b"POST /slow HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 1000\r\n\r\nx",
    )
    begun = time.monotonic()
    held = [stage.edge.connect() for _ in slow]
    for connection, request in zip(held, slow, strict=True):
        connection.sendall(request)
    for connection in held:
        assert b" 408 " in connection.recv(4096)
        # The limit is 5 s; all others that could end it are longer than what is allowed here.
        assert 4.5 < time.monotonic() - begun < 20
        connection.close()
    assert stage.web.received("/slow") == 0


def test_backend_connections_are_reused(stage: Stage) -> None:
    for _ in range(20):
        stage.edge.curl("/reuse")
    connections = {
        line.split("\t")[2] for line in stage.web.journal.read_text().splitlines() if "\t/reuse\t" in line
    }
    assert len(connections) <= 3


def test_every_request_is_one_line_in_the_log(stage: Stage) -> None:
    for path in ("/log/a?secret=1", "/log/b", "/.bastide/x"):
        stage.edge.curl(path)
    answer = stage.edge.curl("/log/post", "-d", "x=1")
    assert not header(answer, "x-bastide-server")
    fields = stage.edge.await_logged(4, "/log/a", "/log/b", "/.bastide/x", "/log/post")
    # Threads of the edge write, each its own: the order is theirs.
    assert sorted((f[2], f[3], f[4], f[11], f[12]) for f in fields) == [
        ("200", "GET", "/log/a", "web1", "--"),
        ("200", "GET", "/log/b", "web1", "--"),
        ("200", "POST", "/log/post", "web1", "--"),
        ("404", "GET", "/.bastide/x", "-", "PR"),
    ]
    assert all(len(f) == len(REQUEST_FIELDS) and abs(int(f[1]) / 1000 - time.time()) < 30 for f in fields)


def test_the_line_of_a_long_path_has_every_column(stage: Stage) -> None:
    """HAProxy keeps the first 1023 bytes of it (tune.http.logurilen), and no line is cut at its greatest length."""
    stage.edge.curl(f"/long/{'a' * 13000}")
    (fields,) = wait_for(
        lambda: [f for f in stage.edge.requests_logged() if any("/long/" in column for column in f)], bool
    )
    named = dict(zip(REQUEST_FIELDS, fields, strict=True))
    assert (named["method"], named["frontend"], named["route"]) == ("GET", "https", "app")
    assert named["path"].startswith("/long/aaa")


@pytest.mark.parametrize(
    "said",
    [
        random.Random(1).randbytes(2000),
        b"GET /" + b"a" * 100_000,
        b"GET /\x1b[2J\tq\xff HTTP/1.1\r\n\r\n",
        b"GET /%09%0a%1b HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        b"GET /a\tb HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        b"R\t1\t200\t" * 50,
        b"A\tB / HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        b"\xff / HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100),
        b"GET / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: x\r\n\r\n",
        b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        b"\x16\x03\x01\x02",
    ],
)
def test_whatever_is_said_the_agent_can_count_every_line_of_it(stage: Stage, said: bytes) -> None:
    begin = stage.edge.log.stat().st_size
    for port in (stage.edge.http, stage.edge.https):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire, contextlib.suppress(OSError):
            wire.sendall(said)
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(4096):
                pass
    stage.edge.curl("/afterwards")
    written = wait_for(
        lambda: stage.edge.log.read_bytes()[begin:], lambda w: b"\t/afterwards\t" in w and w.endswith(b"\n")
    )
    log = Log(
        service="edge", path="", format="haproxy", columns=tuple(REQUEST_FIELDS),
        failed_columns=tuple(FAILED_CONNECTION_FIELDS), routes=("app",), servers=("web1",), frontends=FRONTENDS,
    )  # fmt: skip
    counting = Counting(derive_layouts(log))
    counting.add(written)
    assert written.endswith(b"\n")
    assert counting.counters["malformed"] == 0, written
