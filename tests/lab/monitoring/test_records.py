"""Logs and events reach the store within seconds: a program's line, a blocked probe, a login, a takeover, a death."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.transport.endpoint import ssh_argv
from tests.lab.monitoring.watched import BALANCERS, HOSTS, MONITOR, Watched, wait_for

pytestmark = pytest.mark.lab

SOON_S = 60.0


def found(watched: Watched, text: str, *words: str, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first record with that text that is good, as soon as it is there."""
    began = time.monotonic()
    records = wait_for(
        lambda: [r for r in watched.records(text, *words) if good(r)], bool, within_s=SOON_S, every_s=0.3
    )
    print(f"\n{text}: found after {time.monotonic() - began:.1f} s: {records[0]}")
    return records[0]


def test_a_line_that_a_program_logs_is_found_by_text_and_by_pattern(watched: Watched) -> None:
    mark = uuid.uuid4().hex
    watched.commands.ask("app1", f"logger -t shop-test 'an order of {mark}'")
    record = found(watched, mark, good=lambda r: r["kind"] == "log")
    assert (record["host"], record["message"]) == ("app1", f"an order of {mark}")
    assert mark in watched.commands.do("logs", "app1", "--grep", f"order of {mark[:8]}[0-9a-f]+$")
    assert mark not in watched.commands.do("logs", "app2", "--search", mark)


def test_a_blocked_probe_is_an_event_with_source_and_port(watched: Watched) -> None:
    client = watched.commands.ask("client", "ip -4 -o addr show dev pub0 | awk '{print $4}' | cut -d/ -f1")
    watched.commands.ask("client", f"timeout 30 nc -w 1 {watched.facts['address']} 3306 || true")
    record = found(
        watched, f"{client} → {watched.facts['address']}", good=lambda r: r["fields"].get("port") == "3306"
    )
    assert (record["type"], record["fields"]["source"]) == ("firewall-drop", client)
    assert record["host"] in BALANCERS


def test_a_login_is_an_event(watched: Watched) -> None:
    begun = time.time()
    # The verbs share one connection a host, which was opened long ago.
    endpoint = choose_target(open_project(watched.commands.spec, None), "lab").endpoint("db1")
    subprocess.run([*ssh_argv(endpoint, fresh=True), "true"], check=True, capture_output=True, timeout=120)
    record = found(watched, "Accepted publickey", "db1", good=lambda r: r["kind"] == "event" and r["t"] > begun - 1)
    assert (record["type"], record["fields"]["result"], record["fields"]["user"]) == ("login", "accepted", "root")


def test_a_takeover_is_an_event_of_the_host_that_took_over(watched: Watched) -> None:
    seen = wait_for(watched.state, lambda s: len(s["virtual_ip"]["holders"]) == 1, within_s=60)
    holder = seen["virtual_ip"]["holders"][0]
    other = next(name for name in BALANCERS if name != holder)
    begun = time.time()
    watched.commands.do("lab", "kill", holder)
    try:
        record = found(watched, "MASTER", other, good=lambda r: r["kind"] == "event" and r["t"] > begun - 1)
        assert (record["host"], record["type"], record["fields"]["state"]) == (other, "vip", "master")
        print(f"taken over {record['t'] - begun:.2f} s after the kill was asked for")
        wait_for(watched.state, lambda s: s["virtual_ip"]["holders"] == [other], within_s=60)
    finally:
        watched.commands.do("lab", "start", holder)
        watched.commands.await_healthy(within_s=240)


def test_every_renewed_certificate_is_an_event_also_those_beside_their_keys(watched: Watched) -> None:
    # What the authority has lost it issues anew.
    for lost in ("edge", "leaves/balancer.lb1", "leaves/agent.web1"):
        shutil.rmtree(watched.commands.state / "pki" / lost)
    begun = time.time()
    watched.commands.do("apply", "--yes", timeout_s=240)
    wanted = {
        ("lb1", "/etc/bastide/haproxy/edge.pem"),
        ("lb1", "/etc/bastide/haproxy/client.pem"),
        ("lb2", "/etc/bastide/haproxy/edge.pem"),
        ("web1", "/etc/bastide/agent/certificate.pem"),
        ("web1", "/etc/bastide/vmagent/agent.crt"),
    }

    def told() -> set[tuple[str, str]]:
        every = (r for r in watched.records("was renewed") if r["t"] > begun - 1 and r.get("type") == "certificate")
        return {(r["host"], r["fields"]["path"]) for r in every}

    assert wait_for(told, lambda seen: seen >= wanted, within_s=180, every_s=1) == wanted, "these and no other"
    print(f"\nall told {time.time() - begun:.0f} s after `apply` began")
    watched.commands.await_healthy(within_s=240)


@pytest.mark.parametrize(
    ("host", "unit"),
    [
        ("web1", "bastide-agent"),
        ("web1", "vmagent"),
        ("db1", "prometheus-node-exporter"),
        ("db1", "prometheus-mysqld-exporter"),
        (MONITOR, "bastide-hub"),
        (MONITOR, "prometheus"),
    ],
)
def test_what_watches_and_dies_is_back_in_seconds(watched: Watched, host: str, unit: str) -> None:
    before = watched.commands.ask(host, f"systemctl show -P MainPID {unit}")
    began = time.monotonic()
    watched.commands.ask(host, f"systemctl kill --signal=KILL {unit}")
    wait_for(
        lambda: watched.commands.ask(host, f"systemctl show -P ActiveState -P MainPID {unit}").split(),
        lambda said: "active" in said and before not in said,
        within_s=120,
        every_s=0.2,
    )
    print(f"\n{unit} on {host}: back after {time.monotonic() - began:.1f} s")
    wait_for(lambda: watched.host(host)["state"], lambda s: s == "fresh", within_s=60)


def test_every_host_speaks_every_second(watched: Watched) -> None:
    hosts = wait_for(
        lambda: {h["name"]: h["age_s"] for h in watched.state()["hosts"] if h["state"] == "fresh"},
        # A monitor that slept itself calls nobody silent, and what it heard last is that old.
        lambda fresh: set(fresh) == set(HOSTS) and max(fresh.values()) <= 3,
        within_s=60,
    )
    print(f"\nages: {hosts}")
