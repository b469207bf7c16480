"""Alerts fire for what was broken, say where, and end when it is mended; the watchdog reaches somebody outside.

All faults of a round stand at the same time, so that the rules' own patience is waited for once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.lab.monitoring.watched import BALANCERS, DATABASES, MONITOR, WEB, Watched, settled, wait_for

pytestmark = pytest.mark.lab

Fired = tuple[str, str]
"""Name of an alert, and the host (or what was asked) that it is about; nothing where it is about the whole site."""

_RECEIVER = """
import http.server, json
class Told(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            with open("/run/told", "a") as file:
                print(self.path, alert["labels"]["alertname"], alert["status"], file=file)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("", 9999), Told).serve_forever()
"""
_SQL = "mariadb --socket /run/mysqld/mysqld.sock -e"
WITHIN_S = 300.0


def fired(watched: Watched) -> set[Fired]:
    return {(a["alertname"], a.get("host") or a.get("target", "")) for a in watched.alerts()}


def away(watched: Watched) -> tuple[str, str]:
    """The balancer that holds the address, and the other one."""
    holders = wait_for(watched.state, lambda s: len(s["virtual_ip"]["holders"]) == 1, within_s=60)
    holder = holders["virtual_ip"]["holders"][0]
    return holder, next(name for name in BALANCERS if name != holder)


def databases(watched: Watched) -> tuple[str, str]:
    """The primary, and the replica that follows it."""
    roles = wait_for(
        # A keeper that does not answer at once is left out of one second's frame.
        lambda: {h["database"]: h["name"] for h in watched.state()["hosts"] if h["database"]},
        lambda found: found.keys() == {"primary", "replica"},
        within_s=120,
    )
    return roles["primary"], roles["replica"]


@contextlib.contextmanager
def everything_broken(watched: Watched) -> Iterator[set[Fired]]:
    """Many faults at once; what must fire because of them."""
    ask = watched.commands.ask
    holder, other = away(watched)
    primary, replica = databases(watched)
    try:
        # Without its balancer the address goes, once, to the other; without keepalived it is nobody's.
        ask(other, "systemctl stop haproxy")
        for host in BALANCERS:
            ask(host, "systemctl stop keepalived")
        for host in WEB:
            ask(host, "systemctl stop nginx")
        ask("web2", "systemd-run -q --unit=bastide-broken false")
        ask("app1", "systemctl stop prometheus-node-exporter")
        ask("web1", "systemctl stop bastide-agent")
        ask("app2", "systemctl stop vmagent")
        # The keeper would mend it at once. The primary's goes on alone, and says so.
        ask(replica, "systemctl stop keeper.socket keeper")
        ask(replica, f"{_SQL} 'STOP SLAVE IO_THREAD; SET GLOBAL read_only=0; SET GLOBAL max_connections=10'")
        address = ask(holder, "ip -4 -o addr show dev pub0 | awk '{print $4}' | cut -d/ -f1 | head -1")
        page = f"curl -sk -o /dev/null --parallel --resolve shop.test:443:{address} 'https://shop.test/static/1k.txt?[1-4000]'"
        ask("client", f"{page} || true", timeout_s=240)
        yield {
            ("Watchdog", ""),
            ("NotificationFailures", MONITOR),
            ("EntranceDown", other),
            ("EntranceDown", "virtual-ip"),
            ("TargetDown", "app1"),
            ("ExporterSilent", "app1"),
            ("AgentSilent", "web1"),
            ("VirtualIpUnheld", ""),
            ("SiteDown", ""),
            ("BackendEmpty", holder),
            ("WebServerOut", holder),
            *(("WebServerDown", host) for host in WEB),
            ("UnitFailed", "web2"),
            ("HostSilent", "app2"),
            ("ReplicationStopped", replica),
            ("ReplicaWritable", replica),
            ("DatabaseTwoPrimaries", ""),
            ("DatabaseNoStandby", primary),
            ("ErrorsBurnFast", ""),
        }
    finally:
        ask(replica, f"{_SQL} 'SET GLOBAL max_connections=200; SET GLOBAL read_only=1; START SLAVE' || true")
        ask(replica, "systemctl start keeper.socket keeper")
        ask("web2", "systemctl reset-failed bastide-broken || true")
        ask("app1", "systemctl start prometheus-node-exporter")
        ask("web1", "systemctl start bastide-agent")
        ask("app2", "systemctl start vmagent")
        for host in WEB:
            ask(host, "systemctl start nginx")
        ask(other, "systemctl start haproxy")
        for host in BALANCERS:
            ask(host, "systemctl start keepalived")


def test_more_than_fifteen_alerts_fire_each_for_its_host_and_end(watched: Watched) -> None:
    commands = watched.commands
    commands.ask("client", "pkill -f /run/receiver.py || true; rm -f /run/told")
    with everything_broken(watched) as wanted:
        began, first = time.monotonic(), dict[Fired, float]()

        def missing() -> set[Fired]:
            for one in fired(watched) & wanted:
                first.setdefault(one, time.monotonic() - began)
            return wanted - first.keys()

        try:
            wait_for(missing, lambda lacking: not lacking, within_s=WITHIN_S, every_s=2)
        finally:
            print("\nfired after, in seconds:")
            for (name, where), after_s in sorted(first.items(), key=lambda item: item[1]):
                print(f"  {after_s:5.0f}  {name} {where}")
        assert len({name for name, _ in wanted}) >= 15
        # The hub shows what Alertmanager holds; it asks now and then.
        wait_for(
            lambda: {(a["name"], a[key]) for a in watched.state()["alerts"] for key in ("host", "severity")},
            lambda shown: {("HostSilent", "app2"), ("BackendEmpty", "page")} <= shown,
            within_s=60,
        )
    commands.await_healthy(within_s=240)
    commands.ask(
        "client",
        f"cat >/run/receiver.py <<'END'\n{_RECEIVER}\nEND\n"
        "systemd-run -q --collect --unit=receiver python3 /run/receiver.py",
    )
    # These have no memory of their own and end with the fault.
    quick = {
        one
        for one in wanted
        if one[0]
        in (
            "EntranceDown",
            "VirtualIpUnheld",
            "SiteDown",
            "BackendEmpty",
            "WebServerDown",
            "UnitFailed",
            "HostSilent",
            "ReplicationStopped",
            "ReplicaWritable",
            "DatabaseTwoPrimaries",
            "DatabaseNoStandby",
            "TargetDown",
            "ExporterSilent",
            "AgentSilent",
            "WebServerOut",
        )
    }
    wait_for(lambda: fired(watched) & quick, lambda left: not left, within_s=240, every_s=2)
    told = wait_for(
        lambda: commands.ask("client", "cat /run/told 2>/dev/null || true"),
        lambda said: "/watchdog Watchdog firing" in said,
        within_s=240,
        every_s=2,
    )
    print(f"told outside: {sorted(set(told.splitlines()))}")


def serves(watched: Watched, host: str) -> bool:
    """Whether a database runs there."""
    return watched.commands.ask(host, "systemctl is-active mariadb.service || true").strip() == "active"


def test_a_database_without_primary_and_a_monitor_that_hears_nobody(watched: Watched) -> None:
    ask = watched.commands.ask
    primary, replica = databases(watched)
    settled(watched)
    try:
        # The replica's keeper first: it would take over.
        for host in (replica, primary):
            ask(host, "systemctl stop keeper.socket keeper.service mariadb-start.path")
        # A primary whose keeper renews nothing is killed by its fence.
        wait_for(lambda: serves(watched, primary), lambda active: not active, within_s=120)
        assert serves(watched, replica), "a replica needs no lease"
        wanted = {("DatabaseDown", primary), ("DatabaseNoPrimary", "")}
        began = time.monotonic()
        wait_for(lambda: wanted - fired(watched), lambda lacking: not lacking, within_s=180, every_s=1)
        print(f"\n{primary} down: both alerts after {time.monotonic() - began:.0f} s")
        assert ("MonitorDeaf", "") not in fired(watched)
        ask(MONITOR, "systemctl stop nginx")
        began = time.monotonic()
        wait_for(lambda: ("MonitorDeaf", "") in fired(watched), bool, within_s=120, every_s=1)
        print(f"deaf: alerted after {time.monotonic() - began:.0f} s")
        accused = {host for name, host in fired(watched) if name == "HostSilent"}
        assert not accused, f"a monitor that hears nobody accuses no single host: {accused}"
    finally:
        ask(MONITOR, "systemctl start nginx")
        for host in DATABASES:
            # They start their databases.
            ask(host, "systemctl start mariadb-start.path keeper.socket keeper.service")
    watched.commands.await_healthy(within_s=240)
    ends = {("MonitorDeaf", ""), ("DatabaseNoPrimary", ""), ("DatabaseDown", primary)}
    wait_for(lambda: ends & fired(watched), lambda left: not left, within_s=240, every_s=1)
