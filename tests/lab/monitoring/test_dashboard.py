"""The dashboard opens for who has a login of this minute, once, and then only to look."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.lab.monitoring.watched import MONITOR_NAME, Watched

pytestmark = pytest.mark.lab

JSON = ("-H", "Content-Type: application/json")


def status(watched: Watched, url: str, *words: str) -> int:
    return int(watched.curl("-o", "/dev/null", "-w", "%{http_code}", *words, url).stdout)


def test_one_login_opens_one_session_that_may_look_and_not_touch(watched: Watched, tmp_path: Path) -> None:
    made = json.loads(watched.commands.do("dashboard", "--json"))
    at = urlsplit(made["url"])
    base, token = f"https://{MONITOR_NAME}:{at.port}", at.fragment.removeprefix("login=")
    assert (made["role"], made["tunnel"]) == ("viewer", False)
    assert made["ca"] == watched.facts["ca"]

    assert status(watched, f"{base}/api/state") == 401, "nothing is told to who has not logged in"
    assert status(watched, f"{base}/api/logs?text=root") == 401
    assert status(watched, f"{base}/api/login", *JSON, "-d", '{"token": "guessed"}') == 401

    cookies = str(tmp_path / "cookies")
    login = (*JSON, "-c", cookies, "-d", json.dumps({"token": token}))
    opened = json.loads(watched.curl(*login, f"{base}/api/login").stdout)
    assert opened["role"] == "viewer"
    assert json.loads(watched.curl("-b", cookies, f"{base}/api/state").stdout)["name"] == "shop"
    assert status(watched, f"{base}/api/login", *JSON, "-d", json.dumps({"token": token})) == 401, "once"

    silence = json.dumps({"matchers": {"alertname": "Watchdog"}, "minutes": 5, "comment": "a try"})
    own = ("-H", f"X-Bastide-CSRF: {opened['csrf']}", "-b", cookies)
    assert status(watched, f"{base}/api/silences", *JSON, *own, "-d", silence) == 403, "a viewer only looks"
    assert status(watched, f"{base}/api/logout", *JSON, *own, "-d", "{}") == 200
    assert status(watched, f"{base}/api/state", "-b", cookies) == 401


def test_an_operator_may_silence_with_his_csrf_word_and_not_without(watched: Watched, tmp_path: Path) -> None:
    made = json.loads(watched.commands.do("dashboard", "--operator", "--json"))
    at = urlsplit(made["url"])
    base, cookies = f"https://{MONITOR_NAME}:{at.port}", str(tmp_path / "cookies")
    token = json.dumps({"token": at.fragment.removeprefix("login=")})
    opened = json.loads(watched.curl(*JSON, "-c", cookies, "-d", token, f"{base}/api/login").stdout)
    silence = json.dumps({"matchers": {"alertname": "CpuStolen"}, "minutes": 5, "comment": "a try"})
    asked = (*JSON, "-b", cookies, "-d", silence)
    assert status(watched, f"{base}/api/silences", *asked) == 403
    assert status(watched, f"{base}/api/silences", *asked, "-H", f"X-Bastide-CSRF: {opened['csrf']}") == 200


def test_the_address_of_the_dashboard_serves_nothing_of_what_hosts_ship(watched: Watched) -> None:
    at = urlsplit(json.loads(watched.commands.do("dashboard", "--json"))["url"])
    assert status(watched, f"https://{MONITOR_NAME}:{at.port}/hub/v1/frames", "-d", "{}") == 404
    assert status(watched, f"https://{MONITOR_NAME}:{at.port}/metrics") in (401, 404)
    assert watched.curl(f"https://{MONITOR_NAME}:8490/hub/v1/frames").returncode != 0, "walled: this is no host"
