"""`top`, `dashboard`, `logs --search` and `status` against a real hub; ssh is replaced by a script on this computer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bastide.project.log_search import format_records, read_since, search_queries
from tests.ports import free_port
from tests.unit.hub.kit import SOURCE, RunningHub, event, log, make_settings, write_settings
from tests.waiting import wait_for

SPEC = """\
name: shop
domains: [shop.test]
hosts:
  lb1: {roles: [balancer], address: 192.0.2.1}
  web1: {roles: [web], address: 192.0.2.2}
  monitor1: {roles: [monitor], address: 192.0.2.3}
app: {kind: static, path: .}
"""
# The last word is the command line for the host. Only the hub is there; whatever else is asked fails.
FAKE_SSH = """\
#!/bin/sh
for line; do :; done
case $line in
*hub.pyz*) ;;
*) echo "no such host" >&2; exit 255;;
esac
export PYTHONPATH=%(source)s
line=$(printf '%%s' "$line" | sed -e 's#/usr/bin/python3 -I /etc/bastide/hub/hub.pyz#%(python)s -m bastide.hub#' \
  -e 's#/etc/bastide/hub/settings.json#%(settings)s#')
eval "exec ${line#sudo -n }"
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    state = tmp_path / "state"
    state.mkdir()
    port = free_port()
    # Something that answers; what speaks TLS there is nginx's matter.
    settings = make_settings(state, metrics_port=port, url=f"https://127.0.0.1:{port}/")
    running = RunningHub(settings=settings, file=write_settings(settings, state))
    ssh = tmp_path / "ssh"
    ssh.write_text(FAKE_SSH % {"source": SOURCE, "python": sys.executable, "settings": running.file})
    ssh.chmod(0o755)
    (tmp_path / "bastide.yaml").write_text(SPEC)
    running.start()
    yield running
    if running.process.poll() is None:
        running.kill()


def bastide(hub: RunningHub, *words: str) -> subprocess.CompletedProcess[str]:
    folder = hub.file.parent.parent
    return subprocess.run(
        [sys.executable, "-m", "bastide", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=120,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(SOURCE)},
    )


@contextmanager
def balancer_speaks(hub: RunningHub) -> Iterator[None]:
    """40 requests a second, told for as long as it takes."""
    done = threading.Event()
    start = time.time()

    def tell(t: float) -> None:
        hub.frame("lb1", t, {"requests|edge|app|2xx": 40.0 * (t - start + 10)}, cpu=0.25, load1=1.5)

    def speak() -> None:
        while not done.wait(0.5):
            tell(time.time())

    tell(start - 6)
    tell(start)
    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        wait_for(lambda: hub.ask("GET", "/api/state", admin=True).json["services"], lambda seen: "edge" in seen)
        yield
    finally:
        done.set()
        speaker.join()


def test_top_status_and_logs(hub: RunningHub) -> None:
    now = time.time()
    hub.records("web1", [log(seq, f"cart {seq} [x]", t=now - 700) for seq in range(1, 21)])
    hub.records("db1", [event(1, "unit-failed", "cart service failed\nbadly", t=now - 600)])
    with balancer_speaks(hub):
        figures_are_shown(hub)
    records_are_found(hub)


def figures_are_shown(hub: RunningHub) -> None:
    # On a busy computer the balancer may speak so late that it is taken for silent meanwhile.
    def shown(*words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bastide(hub, *words, "--json").stdout)
        return found

    def rate(services: dict[str, Any]) -> object:
        return services.get("edge", {}).get("rate")

    top = wait_for(
        lambda: bastide(hub, "top", "--once"), lambda top: "tier edge: 40/s, 0 errors/s, p50 –" in top.stdout
    )
    assert top.returncode == 0, top.stderr
    assert "host lb1: " in top.stdout
    assert "cpu 25% load 1.50" in top.stdout
    wait_for(lambda: shown("top", "--once"), lambda state: rate(state["services"]) == 40.0)

    status = wait_for(
        lambda: shown("status"), lambda found: found["live"] and rate(found["live"]["services"]) == 40.0
    )
    assert {"version", "name", "url", "ca", "healthy", "hosts"} <= set(status)
    assert status["live"]["data_age_s"] >= 0
    assert status["live"]["hosts"][0]["name"] == "lb1"


def records_are_found(hub: RunningHub) -> None:
    found = bastide(hub, "logs", "--search", "cart")
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 22
    assert "21 found in 21 lines on monitor1" in found.stderr
    last = found.stdout.splitlines()[-2:]
    assert "event unit-failed: cart service failed" in last[0]
    assert last[1].strip() == "badly"
    some = bastide(hub, "logs", "web1/nginx", "--grep", r"cart 1\d \[x\]$", "--since", "1h", "--json")
    assert [r["seq"] for r in json.loads(some.stdout)["records"]] == list(range(19, 9, -1))
    wrong = bastide(hub, "logs", "--grep", "(")
    assert wrong.returncode == 1
    assert "not a regular expression" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert bastide(hub, "logs", "--search", "x", "--since", "whenever").returncode == 2


def test_top_goes_on_until_it_is_interrupted_even_when_the_hub_restarts(hub: RunningHub) -> None:
    folder = hub.file.parent.parent
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "bastide", "top"]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as top:
        assert top.stdout is not None
        verdicts = (line for line in top.stdout if " (data " in line)
        assert [next(verdicts) for _ in range(3)]
        hub.kill()
        hub.start()
        assert [next(verdicts) for _ in range(3)]
        top.send_signal(signal.SIGINT)
        assert top.wait(timeout=60) == 0


def test_dashboard_gives_a_login_through_a_port_that_answers(hub: RunningHub) -> None:
    refused = bastide(hub, "dashboard", "--monitor", "web1")
    assert refused.returncode == 2
    assert "there are: monitor1" in refused.stderr
    done = bastide(hub, "dashboard", "--operator", "--json")
    made = json.loads(done.stdout)
    assert (made["monitor"], made["role"], made["tunnel"]) == ("monitor1", "operator", False)
    token = made["url"].removeprefix(f"https://127.0.0.1:{hub.settings.metrics_port}/#login=")
    assert hub.ask("POST", "/api/login", {"token": token}).json["role"] == "operator"
    assert bastide(hub, "dashboard").stdout.count("#login=") == 1


def test_dashboard_says_so_when_no_way_leads_there(hub: RunningHub) -> None:
    hub.stop()
    plain = json.loads(hub.file.read_text())
    hub.file.write_text(json.dumps(plain | {"url": "https://127.0.0.1:9/"}))
    hub.start()
    # Nothing listens on port 9, and the script on this computer opens no tunnel.
    done = bastide(hub, "dashboard")
    assert done.returncode == 1
    assert "no tunnel to 127.0.0.1 port 9" in done.stderr


def test_when_the_hub_is_down_everything_else_works(hub: RunningHub) -> None:
    hub.kill()
    status = bastide(hub, "status", "--json")
    plain = json.loads(status.stdout)
    assert plain["live"] is None
    assert "the hub does not answer" in plain["live_reason"]
    assert len(plain["hosts"]) == 3
    top = bastide(hub, "top", "--once")
    assert top.returncode == 1
    assert "the hub does not answer" in top.stderr
    assert "next: bastide logs monitor1/hub" in top.stderr
    logs = bastide(hub, "logs", "--search", "x")
    assert "reading the hosts' journals" in logs.stderr


NOW = datetime(2026, 5, 4, 12, 0, 0).astimezone()


@pytest.mark.parametrize(
    ("text", "ago"),
    [("10m", 600), ("10 min ago", 600), ("2 hours ago", 7200), ("3d", 3 * 86400), ("today", 12 * 3600),
     ("yesterday", 36 * 3600), ("2026-05-04 11:59:30", 30), ("2026-05-04", 12 * 3600)],
)  # fmt: skip
def test_times(text: str, ago: float) -> None:
    assert NOW.timestamp() - read_since(text, NOW) == ago


def test_a_service_is_one_search_and_hosts_are_one_each() -> None:
    def queries(sources: dict[str, tuple[str, ...]], *, everything: bool = False) -> list[dict[str, str]]:
        found = search_queries(sources, all_hosts=everything, text="x", regex=False, since=5.0, lines=9)
        return [{k: v for k, v in query.items() if k in ("host", "unit")} for query in found]

    assert queries({"a": (), "b": ()}, everything=True) == [{}]
    assert queries({"a": ("nginx.service",), "b": ("nginx.service",)}) == [{"unit": "nginx.service"}]
    assert queries({"a": ()}) == [{"host": "a"}]
    assert queries({"a": ("nginx.service",)}) == [{"host": "a", "unit": "nginx.service"}]


def test_lines_are_in_order() -> None:
    records = [log(2, "second") | {"host": "b"}, log(1, "") | {"host": "a"}]
    assert [line.split()[0] for line in format_records(records, 3)] == ["a", "b"]
