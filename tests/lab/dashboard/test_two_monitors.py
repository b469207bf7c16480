"""Two monitors: hosts ship to both, what both alert about is told once, and either may die without a gap."""

from __future__ import annotations

import itertools
import json
import shlex
import time
from functools import partial
from typing import Any

import pytest

from bastide.products.hub.view import PROGRAM, SETTINGS
from tests.lab.dashboard.conftest import Site
from tests.lab.monitoring.watched import JUDGING, PATIENT, wait_for

pytestmark = pytest.mark.lab

MONITORS = ("monitor1", "monitor2")
HOSTS = {"lb1", "web1", *MONITORS}
PEER_TIMEOUT_S = 15
"""After which the second of two Alertmanagers tells what the first has not said that it told."""


def hears(site: Site, monitor: str) -> set[str]:
    """Whom the hub of a monitor hears."""
    found = site.commands.ask(
        monitor,
        "curl -sf -m 30 --unix-socket /run/bastide-hub/admin.sock http://hub/api/state || echo '{\"hosts\": []}'",
    )
    return {host["name"] for host in json.loads(found)["hosts"] if host["state"] == "fresh"}


def query(site: Site, monitor: str, promql: str) -> list[dict[str, Any]]:
    get = f"{PATIENT} -G http://127.0.0.1:9090/api/v1/query --data-urlencode {shlex.quote(f'query={promql}')}"
    found: list[dict[str, Any]] = json.loads(site.commands.ask(monitor, get))["data"]["result"]
    return found


def fires(site: Site, monitor: str, name: str, host: str) -> bool:
    """Whether a monitor's Alertmanager holds that alert."""
    plain = site.commands.ask(monitor, f"{PATIENT} 'http://127.0.0.1:9093/api/v2/alerts?active=true'")
    return any((a["labels"]["alertname"], a["labels"].get("host")) == (name, host) for a in json.loads(plain))


def told(site: Site, name: str, host: str) -> int:
    """How often whoever takes pages was told that it began."""
    lines = site.commands.ask("client", "cat /run/told 2>/dev/null || true").splitlines()
    entries = [entry for line in lines if (entry := json.loads(line)).get("path") == "/pages"]
    return sum(
        (alert["status"], alert["labels"]["alertname"], alert["labels"].get("host")) == ("firing", name, host)
        for entry in entries
        for alert in entry["body"]["alerts"]
    )


def peers(site: Site, monitor: str) -> int:
    """How many Alertmanagers a monitor's knows of, itself among them."""
    status = json.loads(site.commands.ask(monitor, f"{PATIENT} http://127.0.0.1:9093/api/v2/status"))
    return len(status["cluster"]["peers"])


def marks(site: Site, monitor: str, text: str) -> list[dict[str, Any]]:
    """What a monitor's log store finds."""
    asked = shlex.quote(json.dumps({"text": text, "limit": "10"}))
    found: list[dict[str, Any]] = json.loads(
        site.commands.ask(monitor, f"/usr/bin/python3 -I {PROGRAM} logs {SETTINGS} {asked}")
    )["records"]
    return found


def together(site: Site) -> None:
    """Wait until both hear everybody, judge hosts, and know of each other."""
    for monitor in MONITORS:
        wait_for(partial(hears, site, monitor), lambda found: found == HOSTS, within_s=180, every_s=1)
        wait_for(partial(query, site, monitor, JUDGING), bool, within_s=300, every_s=2)
        wait_for(partial(peers, site, monitor), lambda found: found == len(MONITORS), within_s=120, every_s=1)


def test_what_both_alert_about_is_told_once(listening: Site) -> None:
    site = listening
    together(site)
    # Neither from before: a restart of its vmagent on a busy computer is a silence too.
    for monitor in MONITORS:
        wait_for(partial(fires, site, monitor, "HostSilent", "web1"), lambda firing: not firing, within_s=240)
    before = told(site, "HostSilent", "web1")
    try:
        site.commands.ask("web1", "systemctl stop vmagent")
        for monitor in MONITORS:
            wait_for(partial(fires, site, monitor, "HostSilent", "web1"), bool, within_s=120)
        wait_for(lambda: told(site, "HostSilent", "web1") - before, bool, within_s=240)
        # By then the other one would have told it too.
        time.sleep(PEER_TIMEOUT_S + 10)
        assert told(site, "HostSilent", "web1") - before == 1
    finally:
        site.commands.ask("web1", "systemctl start vmagent")


@pytest.mark.parametrize("dead", MONITORS)
def test_either_may_die_and_misses_nothing_when_it_is_back(listening: Site, dead: str) -> None:
    site, (left,) = listening, set(MONITORS) - {dead}
    together(site)
    gone = time.time()
    site.commands.do("lab", "kill", dead)
    try:
        wait_for(lambda: hears(site, left), lambda found: found == HOSTS - {dead}, within_s=120)
        wait_for(lambda: fires(site, left, "HostSilent", dead), bool, within_s=120)
        shown = json.loads(site.commands.do("top", "--once", "--json"))
        assert shown["monitor"] == left, "who asks is answered by the other one"
        assert site.dashboard()["monitor"] == left
        site.commands.ask("web1", f"logger -t marked while {dead} was away")
    finally:
        site.commands.do("lab", "start", dead)
    wait_for(lambda: hears(site, dead), lambda found: found == HOSTS, within_s=180, every_s=1)
    back = time.time()

    def gap_s() -> float:
        """The longest time in the absence of which the monitor that was away has no value."""
        (series,) = query(site, dead, 'up{job="heartbeat",host="web1"}[10m]') or [{"values": []}]
        moments = [gone, *(t for t, _ in series["values"] if gone <= t <= back), back]
        return max(float(later - earlier) for earlier, later in itertools.pairwise(moments))

    longest = wait_for(gap_s, lambda seconds: seconds <= 10, within_s=180, every_s=2)
    print(f"\n{dead} was away for {back - gone:.0f} s; longest gap in its figures {longest:.1f} s")
    for monitor in MONITORS:
        wait_for(partial(marks, site, monitor, f"while {dead} was away"), bool, within_s=120, every_s=1)
