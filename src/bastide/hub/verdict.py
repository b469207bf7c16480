"""One sentence: is everything well, and if not, what is wrong?

In: the state's plain values. Out: `{"level": "ok"|"warn"|"bad", "text", "problems"}`.
Holds: pure; the worst comes first; nothing is said to be healthy that was not heard of within three seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bastide.hub.settings import Settings

SETTLING_S = 10.0
"""After our own start hosts have this long to speak first."""
ERROR_SHARE = 0.01
DRIFT_SHARE = 0.01
DRIFT_REQUESTS = 20
DISK_FULL = 0.95
ALERTING_SILENT_S = 30.0
SHOWN = 3
SILENCE = "HostSilent"
"""The alert that says of a host what we see ourselves."""

Problem = tuple[str, str]
"""Level and words."""


def derive_verdict(settings: Settings, state: Mapping[str, Any], *, age: float) -> dict[str, Any]:
    """The verdict over one state; `age` is for how long the hub has been running."""
    problems = sorted(_problems(settings, state, age), key=lambda p: p[0] != "bad")
    words = [text for _, text in problems]
    if problems:
        text = "; ".join(words[:SHOWN]) + (f"; and {len(words) - SHOWN} more" if len(words) > SHOWN else "")
        return {"level": problems[0][0], "text": text, "problems": words}
    unseen = [h["name"] for h in state["hosts"] if h["state"] == "unseen"]
    if unseen:
        return {"level": "warn", "text": f"Waiting for {_names(unseen)}", "problems": []}
    return {
        "level": "ok",
        "text": f"All {len(state['hosts'])} hosts healthy; {_traffic(state['services'])}",
        "problems": [],
    }


def _problems(settings: Settings, state: Mapping[str, Any], age: float) -> Iterator[Problem]:
    for host in state["hosts"]:
        name = host["name"]
        if host["state"] == "unseen" and age > SETTLING_S:
            yield "bad", f"{name} has said nothing since this monitor started {age:.0f} s ago"
        elif host["state"] in ("stale", "dead"):
            yield "bad", f"{name} has been silent for {host['age_s']:.0f} s"
        for unit in host["failed_units"]:
            yield "bad", f"{unit} failed on {name}"
        if host["gauges"].get("disk", 0.0) > DISK_FULL:
            yield "warn", f"a disk of {name} is {host['gauges']['disk']:.0%} full"
        lag = host["lag_s"]
        if host["database"] == "replica" and lag is not None and lag > settings.max_replica_lag_s:
            yield "warn", f"{name} is {lag:.0f} s behind the primary"
    complete = all(host["state"] == "fresh" for host in state["hosts"])
    yield from _virtual_ip(settings, state, complete)
    yield from _primary(state, complete)
    yield from _requests(state)
    if (state["alerting_age_s"] or 0.0) > ALERTING_SILENT_S:
        yield "warn", f"Alertmanager on {settings.host} has not answered for {state['alerting_age_s']:.0f} s"
    silent = {host["name"] for host in state["hosts"] if host["state"] in ("stale", "dead", "unseen")}
    for alert in state["alerts"]:
        if alert.get("name") == SILENCE and alert.get("host") in silent:
            continue  # said above, in our own words
        if alert.get("state") == "active" and alert.get("severity") in ("page", "ticket"):
            level = "bad" if alert["severity"] == "page" else "warn"
            yield (
                level,
                f"alert {alert['name']}: {alert['summary']}" if alert.get("summary") else f"alert {alert['name']}",
            )


def _virtual_ip(settings: Settings, state: Mapping[str, Any], complete: bool) -> Iterator[Problem]:
    vip = state["virtual_ip"]
    if vip is None:
        return
    if len(vip["holders"]) > 1:
        yield "bad", f"{_names(vip['holders'])} both hold the virtual address {vip['address']}"
    elif not vip["holders"] and complete:
        yield "bad", f"nobody holds the virtual address {vip['address']}"


def _primary(state: Mapping[str, Any], complete: bool) -> Iterator[Problem]:
    database = state["database"]
    if database is None:
        return
    if len(database["primaries"]) > 1:
        yield "bad", f"{_names(database['primaries'])} both say that they are the primary database"
    elif not database["primaries"] and complete:
        yield "bad", "no database is primary"


def _requests(state: Mapping[str, Any]) -> Iterator[Problem]:
    edge = state["services"].get("edge")
    if edge and edge["error_share"] > ERROR_SHARE:
        yield "bad", f"{edge['error_share']:.1%} of requests fail ({edge['errors']:g} a second)"
    counts = state["reconciliation"]
    if counts and abs(counts["drift_share"]) > DRIFT_SHARE and abs(counts["drift"]) > DRIFT_REQUESTS:
        yield "warn", f"the tiers disagree about {abs(counts['drift']):.0f} requests of the last minute"


def _traffic(services: Mapping[str, Any]) -> str:
    figures = services.get("edge") or services.get("web")
    if not figures:
        return "no request was counted yet"
    p99 = "" if figures["p99_ms"] is None else f", p99 {figures['p99_ms']:.0f} ms"
    errors = "0 errors" if not figures["errors"] else f"{figures['errors']:g} errors/s"
    return f"{figures['rate']:.0f} requests/s, {errors}{p99}"


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
