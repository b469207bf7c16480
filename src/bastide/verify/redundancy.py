"""Redundancy and monitoring: every balancer serves, every backend takes requests, every request is counted, replicas
are current, an alert arrives.

In: Scene. Out: checks `redundancy.*` and `monitoring.*`. Holds: requests are of a method that nobody else uses, and
none of it may be counted before any was sent.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bastide.products.hub.view import PROGRAM, SETTINGS
from bastide.topology.flows import LOCAL_AGENT, LOCAL_ALERTMANAGER
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.scene import Scene
from bastide.verify.site import trusting, visit

METHOD, EACH = "PATCH", 16
ALERT = "BastideVerify"
_SETTLES_S = 30.0
_SERVICES = {"balancer": "edge", "web": "web", "app": "app"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counts:
    """What every agent counted so far."""

    of: Mapping[str, Mapping[str, int]]
    silent: tuple[str, ...]
    """Agents that did not say."""


def check_redundancy(scene: Scene) -> Iterator[Check]:
    """Balancers, backends, replicas, and the count of all that was sent."""
    monitored = bool(scene.topology.tier("monitor"))
    quiet = _counts(scene)
    before = _counts(scene)
    sent = 0
    for balancer in scene.topology.tier("balancer"):
        statuses = _ask_often(scene, str(balancer.public or balancer.private))
        sent += sum(isinstance(status, int) for status in statuses)
        claim = f"{balancer.name} can serve the site by itself, at its own address"
        good = all(isinstance(status, int) and status < 500 for status in statuses)
        yield judged(f"redundancy.balancer.{balancer.name}", claim, good, answers=statuses)
    if monitored:
        yield from _counted(scene, quiet, before, sent)
    else:
        yield untested("redundancy.counted", "every request is counted", "this layout has no monitor")
    yield from _holder(scene)
    yield from _replicas(scene)


def check_monitoring(scene: Scene) -> Iterator[Check]:
    """This very run is known to the monitors, and an alert that is raised on one of them is held by all."""
    for host in scene.topology.tier("monitor"):
        yield _announced(scene, host.name)
    yield from _alert(scene)


def _ask_often(scene: Scene, address: str) -> list[int | str]:
    said: list[int | str] = []
    for _ in range(EACH):
        try:
            said.append(
                visit(scene.domain, address, trusting(scene.ca), method=METHOD, path="/bastide-verify").status
            )
        except (OSError, http.client.HTTPException) as error:
            said.append(str(error))
    return said


def _counts(scene: Scene) -> _Counts:
    names = [name for name, host in scene.topology.hosts.items() if set(_SERVICES) & set(host.roles)]
    answers = scene.each(names, lambda name: scene.ask(name, "requests", port=LOCAL_AGENT, method=METHOD))
    silent = [str(said) for said in answers.values() if isinstance(said, AskFailed)]
    return _Counts(
        of={name: said for name, said in answers.items() if not isinstance(said, AskFailed)}, silent=tuple(silent)
    )


def _counted(scene: Scene, quiet: _Counts, before: _Counts, sent: int) -> Iterator[Check]:
    end = time.monotonic() + _SETTLES_S
    while True:
        after = _counts(scene)
        rose = {role: _rose(scene, role, service, before, after) for role, service in _SERVICES.items()}
        if all(sum(counted.values()) >= sent for counted in rose.values() if counted) or time.monotonic() > end:
            break
        time.sleep(1)
    claim = f"of {sent} requests sent, {sent} are counted at the edge"
    proof = {"sent": sent, "counted": rose, "method": METHOD}
    silent = (*before.silent, *after.silent)
    if silent:
        yield untested("redundancy.counted", claim, f"not every agent told its counts: {silent[0]}", **proof)
        return
    if quiet.of != before.of:
        yield untested("redundancy.counted", claim, f"somebody else sends {METHOD} requests just now", **proof)
    else:
        yield judged("redundancy.counted", claim, sent > 0 and sum(rose["balancer"].values()) == sent, **proof)
    for role in ("web", "app"):
        hosts = scene.topology.tier(role)
        if role == "app" and scene.spec.app.kind == "static":
            continue
        for host in hosts:
            claim = f"{host.name} takes its part of the requests as {role} server"
            counted = rose[role].get(host.name, 0)
            yield judged(f"redundancy.{role}.{host.name}", claim, counted > 0, sent=sent, counted=rose[role])


def _rose(scene: Scene, role: str, service: str, before: _Counts, after: _Counts) -> dict[str, int]:
    names = [name for name, host in scene.topology.hosts.items() if role in host.roles]
    return {n: after.of.get(n, {}).get(service, 0) - before.of.get(n, {}).get(service, 0) for n in names}


def _holder(scene: Scene) -> Iterator[Check]:
    address = scene.topology.virtual_ip
    if address is None:
        return
    names = [host.name for host in scene.topology.tier("balancer")]
    answers = scene.each(names, lambda name: scene.ask(name, "addresses"))
    holders = [
        name for name, said in answers.items()
        if not isinstance(said, AskFailed) and any(entry["address"] == str(address) for entry in said)
    ]  # fmt: skip
    yield judged(
        "redundancy.virtual_ip", f"exactly one balancer holds {address}", len(holders) == 1, holders=holders
    )


def _replicas(scene: Scene) -> Iterator[Check]:
    hosts = [host.name for host in scene.topology.tier("database")]
    if len(hosts) < 2 or scene.spec.database is None:
        return
    asked = {
        "gtid": "SELECT @@gtid_current_pos",
        "read_only": "SELECT @@read_only",
        "replica": "SHOW GLOBAL STATUS LIKE 'Slave_running'",
    }

    def work(name: str) -> Any:
        return scene.ask(name, "statements", user="root", password="", statements=asked)

    end = time.monotonic() + _SETTLES_S
    while True:
        answers = scene.each(hosts, work)
        good = {name: said for name, said in answers.items() if not isinstance(said, AskFailed)}
        primaries = [name for name, said in good.items() if said["read_only"] == "0"]
        positions = {name: said["gtid"] for name, said in good.items()}
        current = len(primaries) == 1 and set(positions.values()) == {positions[primaries[0]]}
        if current or time.monotonic() > end:
            break
        time.sleep(0.5)
    for name in hosts:
        if name in primaries:
            continue
        said = good.get(name, {}).get("replica", "")
        running = said.split() == ["Slave_running", "ON"]
        claim = f"the replica on {name} runs and has everything that the primary has"
        yield judged(
            f"redundancy.replica.{name}",
            claim,
            current and running,
            positions=positions,
            primary=primaries,
            running=running,
        )


def _announced(scene: Scene, name: str) -> Check:
    """The journal said that a verification began; does the monitor know?"""
    claim = f"{name} knows that a verification is going on, and from which hosts"
    question = json.dumps({"text": "verification began", "since": f"{time.time() - 3600:.0f}", "limit": "500"})
    argv = ["/usr/bin/python3", "-I", PROGRAM, "logs", SETTINGS, question]
    end, hosts = time.monotonic() + _SETTLES_S, set(scene.topology.hosts)
    while True:
        try:
            said = scene.ask(name, "hub", argv=argv)
        except AskFailed as failure:
            return untested(f"monitoring.announced.{name}", claim, str(failure))
        records = said.get("records", said) if isinstance(said, dict) else said
        told = {record["host"] for record in records if record.get("type") == "verify"}
        if told >= hosts or time.monotonic() > end:
            return judged(
                f"monitoring.announced.{name}",
                claim,
                told >= hosts,
                told=sorted(told),
                missing=sorted(hosts - told),
            )
        time.sleep(1)


def _alert(scene: Scene) -> Iterator[Check]:
    monitors = [host.name for host in scene.topology.tier("monitor")]
    claim = "an alert that is raised on one monitor arrives at every monitor's Alertmanager"
    if not monitors:
        return
    if not scene.lab and "monitoring.alert" not in scene.chosen:
        reason = "it would wake whoever is on call: ask for it by name (bastide verify monitoring.alert)"
        yield untested("monitoring.alert", claim, reason)
        return
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": ALERT, "severity": "info"},
        "annotations": {"summary": "bastide verify asks whether alerts arrive; nothing is wrong"},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=1)).isoformat(),
    }
    try:
        before = scene.ask(monitors[0], "alerts", port=LOCAL_ALERTMANAGER)
        scene.ask(monitors[0], "provoke", port=LOCAL_ALERTMANAGER, alert=alert)
        end = time.monotonic() + _SETTLES_S
        while True:
            held = {name: scene.ask(name, "alerts", port=LOCAL_ALERTMANAGER) for name in monitors}
            if all(ALERT in names for names in held.values()) or time.monotonic() > end:
                break
            time.sleep(0.5)
    except AskFailed as failure:
        yield untested("monitoring.alert", claim, str(failure))
        return
    if ALERT in before:
        yield untested("monitoring.alert", claim, "an earlier run's alert is still there: try again in a minute")
    else:
        yield judged("monitoring.alert", claim, all(ALERT in names for names in held.values()), held=held)
