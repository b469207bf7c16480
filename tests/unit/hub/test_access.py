"""Who may look, and who may do: tokens, cookies, CSRF, guesses; alerts and what people say to them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bastide.hub.auth import SESSION_S, TOKEN_S, Logins, Sessions, load_key
from bastide.hub.limits import Limiter
from tests.ports import free_port
from tests.unit.hub.kit import RunningHub, make_settings, write_settings
from tests.waiting import wait_for


def test_a_token_opens_once_and_not_for_long() -> None:
    logins = Logins()
    token = logins.create("viewer", 0.0)
    assert logins.redeem("wrong", 1.0) is None
    assert logins.redeem(token, 1.0) == "viewer"
    assert logins.redeem(token, 2.0) is None
    late = logins.create("operator", 0.0)
    assert logins.redeem(late, TOKEN_S + 1) is None


def test_only_our_own_cookies_count() -> None:
    sessions = Sessions(b"k" * 32)
    session, cookie = sessions.open("viewer", 0.0)
    assert sessions.read(cookie, 1.0) == session
    assert sessions.read(cookie, SESSION_S + 1) is None
    assert Sessions(b"x" * 32).read(cookie, 1.0) is None
    payload, _, signature = cookie.partition(".")
    _, other = sessions.open("operator", 0.0)
    for forged in ("", ".", payload, f"{other.partition('.')[0]}.{signature}", f"{payload}.é", f"{cookie}0"):
        assert sessions.read(forged, 1.0) is None
    sessions.end(session, 2.0)
    assert sessions.read(cookie, 3.0) is None


def test_the_key_is_ours_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "session.key"
    key = load_key(path)
    assert load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="damaged"):
        load_key(path)


def test_an_allowance_refills_and_is_bounded() -> None:
    limiter = Limiter(rate=1.0, burst=2.0, keys=3)
    assert [limiter.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert limiter.take("b", 0.0)
    assert limiter.take("a", 1.0)
    for name in "cdef":
        limiter.take(name, 1.0)
    assert len(limiter._left) == 3


def test_nothing_is_shown_without_a_login(hub: RunningHub) -> None:
    for path in ("state", "stream", "series?name=cpu", "logs", "events", "timeline", "alerts", "silences", "session",
                 "metrics/query?query=up"):  # fmt: skip
        answer = hub.ask("GET", f"/api/{path}")
        assert (answer.status, answer.json["error"]) == (401, "session"), path
    assert hub.ask("POST", "/token", {"role": "operator"}).status == 404, "tokens are root's to make"
    assert hub.ask("GET", "/../settings.json").status == 404


def test_logging_in_and_out(hub: RunningHub) -> None:
    token = json.loads(hub.run("token").stdout)
    assert token["url"] == f"https://10.0.0.9:8444/#login={token['token']}"
    answer = hub.ask("POST", "/api/login", {"token": token["token"]})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-bastide=")
    for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert word in cookie
    assert hub.ask("POST", "/api/login", {"token": token["token"]}).status == 401
    browser = {"Cookie": cookie.partition(";")[0]}
    assert hub.ask("GET", "/api/session", headers=browser).json["role"] == "viewer"
    csrf = {"X-Bastide-CSRF": answer.json["csrf"]}
    assert hub.ask("POST", "/api/logout", {}, browser).json["error"] == "csrf"
    assert hub.ask("POST", "/api/logout", {}, {**browser, "X-Bastide-CSRF": "guess"}).json["error"] == "csrf"
    foreign = {**browser, **csrf, "Origin": "https://evil.test"}
    assert hub.ask("POST", "/api/logout", {}, foreign).json["error"] == "origin"
    assert hub.ask("POST", "/api/logout", {}, browser | csrf).status == 200
    assert hub.ask("GET", "/api/session", headers=browser).status == 401


def test_guessing_is_slow_for_each_and_for_all(hub: RunningHub) -> None:
    def guess(*addresses: str) -> list[int]:
        each = [{"X-Real-IP": address} for address in addresses]
        return sorted(hub.ask_at_once("POST", "/api/login", {"token": "guess"}, each))

    assert guess(*["192.0.2.1"] * 7) == [401] * 5 + [429] * 2
    assert guess("192.0.2.2") == [401]
    assert set(guess(*(f"198.51.100.{n}" for n in range(150)))) == {401, 429}


def test_pages_load_nothing_from_elsewhere(hub: RunningHub) -> None:
    page = hub.ask("GET", "/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert b"http" not in page.body
    assert b"<script>" not in page.body
    assert b"style=" not in page.body
    again = hub.ask("GET", "/", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status == 304


class Alertmanager(BaseHTTPRequestHandler):
    silences: list[dict[str, Any]]

    def do_GET(self) -> None:
        alert = {
            "fingerprint": "f1", "labels": {"alertname": "SiteDown", "severity": "page"}, "startsAt": "2026-01-01",
            "annotations": {"summary": "the site is down"}, "status": {"state": "active"},
        }  # fmt: skip
        listed = [{**s, "id": "s1", "status": {"state": "active"}} for s in self.silences]
        self._answer([alert] if self.path == "/api/v2/alerts" else listed)

    def do_POST(self) -> None:
        self.silences.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"silenceID": "s1"})

    def _answer(self, document: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def alertmanager() -> Iterator[str]:
    Alertmanager.silences = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Alertmanager)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_operators_answer_to_alerts_and_viewers_do_not(tmp_path: Path, alertmanager: str) -> None:
    settings = make_settings(tmp_path, metrics_port=free_port(), alertmanager=alertmanager)
    hub = RunningHub(settings=settings, file=write_settings(settings, tmp_path))
    hub.start()
    try:
        viewer, operator = hub.log_in(), hub.log_in("operator")
        alerts = wait_for(lambda: hub.ask("GET", "/api/alerts", headers=viewer).json["alerts"], bool)
        assert (alerts[0]["name"], alerts[0]["acknowledged"]) == ("SiteDown", None)
        silence = {"matchers": {"alertname": "SiteDown"}, "minutes": 30, "comment": "we know"}
        said = {"fingerprint": "f1", "comment": "on it"}
        for path, body in (("/api/silences", silence), ("/api/acknowledge", said)):
            assert hub.ask("POST", path, body, viewer).json["error"] == "role"
            assert hub.ask("POST", path, {**body, "comment": " "}, operator).json["error"] == "comment"
            assert hub.ask("POST", path, body, {"Cookie": operator["Cookie"]}).json["error"] == "csrf"
        assert hub.ask("POST", "/api/silences", silence, operator).json["id"] == "s1"
        assert Alertmanager.silences[0]["matchers"][0]["value"] == "SiteDown"
        assert len(hub.ask("GET", "/api/silences", headers=viewer).json["silences"]) == 1
        assert hub.ask("POST", "/api/acknowledge", said, operator).status == 200
        assert hub.ask("GET", "/api/alerts", headers=viewer).json["alerts"][0]["acknowledged"]["comment"] == "on it"
        timeline = hub.ask("GET", "/api/timeline", headers=viewer).json["events"]
        assert [e["type"] for e in timeline] == ["acknowledged", "silenced"]
        assert hub.ask("GET", "/api/metrics/query?query=up", headers=viewer).json["error"] == "upstream"
        assert hub.ask("GET", "/api/metrics/series?query=up", headers=viewer).status == 404
    finally:
        hub.kill()
