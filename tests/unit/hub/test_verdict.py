"""One sentence for each thing that can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bastide.hub.frames import Frame
from bastide.hub.live import Live
from bastide.hub.settings import HostSettings
from bastide.hub.state import derive_state
from tests.unit.hub.kit import HOSTS, make_settings

WELL: dict[str, dict[str, float]] = {
    "lb1": {"vip": 1},
    "web1": {},
    "app1": {},
    "db1": {"database_role": 1},
    "db2": {"database_role": 0, "database_lag_s": 0.1},
}


def verdict(
    changed: dict[str, dict[str, float]] | None = None, ages: dict[str, float] | None = None, **more: Any
) -> dict[str, Any]:
    settings = make_settings(Path("/nowhere"))
    live = Live(settings.hosts)
    for name, gauges in {**WELL, **(changed or {})}.items():
        age = (ages or {}).get(name, 0.4)
        if age < 1000:
            live.take(Frame(host=name, t=1000 - age, seq=1, gauges=gauges, counters={}), 1000 - age)
    given: dict[str, Any] = {"failed_units": {}, "alerts": (), "alerting": None} | more
    state = derive_state(settings, live, now=1000.0, started=900.0, **given)
    found: dict[str, Any] = state["verdict"]
    return found


def test_all_well() -> None:
    assert verdict() == {
        "level": "ok", "text": f"All {len(HOSTS)} hosts healthy; no request was counted yet", "problems": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "words", "given"),
    [
        ("bad", "web1 has been silent for 4 s", {"ages": {"web1": 4.2}}),
        ("bad", "web1 has said nothing since this monitor started 100 s ago", {"ages": {"web1": 5000.0}}),
        ("bad", "nobody holds the virtual address 198.18.0.5", {"changed": {"lb1": {"vip": 0}}}),
        ("bad", "lb1 and web1 both hold the virtual address", {"changed": {"web1": {"vip": 1}}}),
        ("bad", "no database is primary", {"changed": {"db1": {"database_role": 0}}}),
        ("bad", "db1 and db2 both say that they are the primary", {"changed": {"db2": {"database_role": 1}}}),
        ("warn", "db2 is 9 s behind", {"changed": {"db2": {"database_role": 0, "database_lag_s": 9}}}),
        ("warn", "a disk of app1 is 97% full", {"changed": {"app1": {"disk": 0.97}}}),
        ("bad", "nginx.service failed on web1", {"failed_units": {"web1": ["nginx.service"]}}),
        ("warn", "Alertmanager on monitor1 has not answered for 40 s", {"alerting": 40.0}),
        ("bad", "alert SiteDown: the site is down", {"alerts": [
            {"state": "active", "severity": "page", "name": "SiteDown", "summary": "the site is down"},
        ]}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(level: str, words: str, given: dict[str, Any]) -> None:
    found = verdict(**given)
    assert found["level"] == level
    assert words in found["text"]


def test_a_watchdog_and_a_silenced_alert_are_no_problem() -> None:
    alerts = [
        {"state": "active", "severity": "none", "name": "Watchdog", "summary": ""},
        {"state": "suppressed", "severity": "page", "name": "SiteDown", "summary": ""},
    ]
    assert verdict(alerts=alerts)["level"] == "ok"


def test_the_worst_comes_first_and_many_are_counted() -> None:
    found = verdict(changed={"app1": {"disk": 0.99}}, ages={"web1": 20.0, "lb1": 20.0, "db1": 20.0})
    assert found["text"].startswith("lb1 has been silent for 20 s; web1")
    assert found["text"].endswith("and 1 more")
    assert found["problems"][-1].startswith("a disk of app1")


def test_who_is_dead_holds_no_address_any_more() -> None:
    found = verdict(changed={"web1": {"vip": 1}}, ages={"lb1": 20.0})
    assert "both hold" not in found["text"]


@pytest.mark.parametrize("silent_s", [0.0, 20.0])
def test_a_web_server_that_died_is_no_drift_of_the_others(silent_s: float) -> None:
    plain = make_settings(Path("/nowhere"))
    web2 = HostSettings(name="web2", roles=("web",), address="10.0.0.8", services=())
    settings = make_settings(Path("/nowhere"), hosts={**plain.hosts, "web2": web2})
    live = Live(settings.hosts)
    for second in range(930, 1001):
        done = second * 100.0
        counted = {"lb1": ("edge", done), "web1": ("web", done / 2), "web2": ("web", done / 2)}
        for name, (service, count) in counted.items():
            if name != "web2" or second <= 1000 - silent_s:
                counters = {f"requests|{service}|shop|2xx": count}
                live.take(Frame(host=name, t=second, seq=second, gauges={}, counters=counters), second)
    state = derive_state(settings, live, now=1000.0, started=900.0, failed_units={}, alerts=(), alerting=None)
    if silent_s:
        assert state["reconciliation"] is None
    else:
        assert state["reconciliation"]["drift"] == 0
    assert "disagree" not in state["verdict"]["text"]


def test_a_silent_host_is_told_once() -> None:
    alert = {
        "state": "active", "severity": "page", "name": "HostSilent", "host": "web1",
        "summary": "web1 has not been heard of for 9 s",
    }  # fmt: skip
    assert verdict(ages={"web1": 9.0}, alerts=[alert])["problems"] == ["web1 has been silent for 9 s"]
    # Its frames come and its metrics do not: only the alert knows.
    assert verdict(alerts=[alert])["problems"] == ["alert HostSilent: web1 has not been heard of for 9 s"]
