"""The parts of monitoring on a host: what they are told, and what their own checkers say."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bastide.products.context import HostContext
from bastide.products.fragment import Fragment
from bastide.products.nftables.view import view_ruleset
from bastide.products.registry import render_host
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import RESILIENT, make_spec

TWO_MONITORS = {**RESILIENT, "monitor2": ["monitor"]}
ALERTING = {
    "email": {
        "to": ["me@shop.test"], "sender": "it@shop.test", "server": "mail.shop.test:587", "user": "it",
        "password": {"env": "MAIL"},
    },
    "slack": {"url": {"env": "SLACK"}, "channel": "#shop"},
    "webhooks": [{"url": "http://10.9.8.7:8081/all"}, {"url": "https://hook.test/pages", "severities": ["page"]}],
    "watchdog": "https://watch.test/shop",
}  # fmt: skip


def context_of(host: str, layout: Any = TWO_MONITORS, **sections: Any) -> HostContext:
    spec = make_spec(layout, **sections)
    topology = resolve_topology(spec)
    return HostContext(
        spec=spec, topology=topology, materials=fake_materials(spec, topology), host=topology.hosts[host]
    )


def part(context: HostContext, product: str) -> Fragment:
    return next(fragment for fragment in render_host(context) if fragment.product == product)


def content(fragment: Fragment, name: str) -> str:
    return next(f.content.decode() for f in fragment.files if f.path.endswith(name))


def test_every_host_ships_to_every_monitor_with_half_the_spool_for_each() -> None:
    unit = content(part(context_of("web1", monitor={"spool": "100M"}), "vmagent"), "vmagent.service")
    assert "-remoteWrite.url=https://10.213.0.18:8490/prometheus/api/v1/write" in unit
    assert "-remoteWrite.url=https://10.213.0.19:8490/prometheus/api/v1/write" in unit
    assert f"-remoteWrite.maxDiskUsagePerURL={50 << 20} " in unit
    assert "-remoteWrite.tlsServerName=monitor.shop.internal" in unit


def test_only_what_runs_on_a_host_is_scraped_and_over_loopback() -> None:
    jobs = {
        host: json.loads(content(part(context_of(host), "vmagent"), "scrape.yml"))["scrape_configs"]
        for host in ("lb1", "db1", "monitor1")
    }
    names = {
        host: {job["job_name"] for job in found if job.get("metrics_path") != "/probe"}
        for host, found in jobs.items()
    }
    assert names["lb1"] == {"heartbeat", "vmagent", "node", "haproxy", "agent"}
    assert names["db1"] == {"heartbeat", "vmagent", "node", "mysqld", "agent"}
    assert names["monitor1"] == {
        "heartbeat", "vmagent", "node", "agent", "hub", "blackbox", "prometheus", "alertmanager",
    }  # fmt: skip
    for host, found in jobs.items():
        for job in found:
            (target,) = job["static_configs"]
            assert target["targets"][0].startswith("127.0.0.1:")
            assert (target["labels"]["host"], target["labels"]["instance"]) == (host, host)


def test_a_monitor_asks_at_the_virtual_address_each_balancer_and_each_web_server() -> None:
    jobs = json.loads(content(part(context_of("monitor1"), "vmagent"), "scrape.yml"))["scrape_configs"]
    asked = {j["static_configs"][0]["labels"]["target"]: j["params"]["target"][0] for j in jobs if "params" in j}
    assert asked == {
        "virtual-ip": "https://198.18.0.5:443/",
        "lb1": "https://198.18.0.10:443/",
        "lb2": "https://198.18.0.11:443/",
        "web1": "https://10.213.0.12:8443/.bastide/health",
        "web2": "https://10.213.0.13:8443/.bastide/health",
    }


def test_secrets_of_receivers_stand_in_files_of_their_own() -> None:
    context = context_of("monitor1", monitor={"alerting": ALERTING})
    canaries = {name: f"canary-{index}" for index, name in enumerate(context.materials.secrets)}
    planted = replace(context, materials=replace(context.materials, secrets=canaries), derived={})
    for fragment in render_host(planted):
        for file in fragment.files:
            if any(canary.encode() in file.content for canary in canaries.values()):
                assert file.secret and not file.mode & 0o007, file.path
    alertmanager = part(planted, "alertmanager")
    assert content(alertmanager, "email-password") == canaries["monitor.email"]
    assert content(alertmanager, "slack-url") == canaries["monitor.slack"]


@pytest.mark.skipif(shutil.which("amtool") is None, reason="alertmanager is not installed: scripts/setup test")
@pytest.mark.parametrize("alerting", [{}, ALERTING], ids=["nobody", "everybody"])
def test_alertmanager_accepts_its_configuration(alerting: Any, tmp_path: Path) -> None:
    text = content(part(context_of("monitor1", monitor={"alerting": alerting}), "alertmanager"), "alertmanager.yml")
    for broken in (False, True):
        file = tmp_path / f"{broken}.yml"
        file.write_text(text.replace('"receiver": "ticket"', '"receiver": "nowhere"') if broken else text)
        done = subprocess.run(["amtool", "check-config", str(file)], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is not broken, done.stdout + done.stderr


def test_pages_and_tickets_go_where_the_spec_says() -> None:
    text = content(part(context_of("monitor1", monitor={"alerting": ALERTING}), "alertmanager"), "alertmanager.yml")
    receivers = {r["name"]: r for r in json.loads(text)["receivers"]}
    assert [h["url"] for h in receivers["page"]["webhook_configs"]] == [
        "http://10.9.8.7:8081/all", "https://hook.test/pages",
    ]  # fmt: skip
    assert [h["url"] for h in receivers["ticket"]["webhook_configs"]] == ["http://10.9.8.7:8081/all"]
    assert receivers["watchdog"]["webhook_configs"][0]["url"] == "https://watch.test/shop"
    assert set(receivers["nobody"]) == {"name"}


def test_the_walls_let_alerts_out_of_monitors_alone() -> None:
    sections: dict[str, Any] = {"monitor": {"alerting": ALERTING}, "firewall": {"egress": []}}
    ports = {
        r.port for r in view_ruleset(context_of("monitor1", **sections)).outgoing if r.flow.startswith("alerts-")
    }
    assert ports == {587, 443, 8081}
    assert not [r for r in view_ruleset(context_of("web1", **sections)).outgoing if r.flow.startswith("alerts-")]


def test_a_single_monitor_gossips_with_nobody() -> None:
    alone = content(part(context_of("monitor1", RESILIENT), "alertmanager"), ".service")
    assert "--cluster.listen-address= " in alone
    pair = part(context_of("monitor1"), "alertmanager")
    assert "--cluster.peer=10.213.0.19:9094" in content(pair, ".service")
    assert '"client_auth_type": "RequireAndVerifyClientCert"' in content(pair, "gossip.yml")


def test_without_a_monitor_nothing_of_monitoring_is_left() -> None:
    layout = {name: roles for name, roles in RESILIENT.items() if name != "monitor1"}
    products = {f.product for host in ("lb1", "db1") for f in render_host(context_of(host, layout))}
    assert not products & {"vmagent", "node_exporter", "mysqld_exporter", "agent", "prometheus"}
    assert "frontend metrics" not in content(part(context_of("lb1", layout), "haproxy"), "haproxy.cfg")
    assert json.loads(content(part(context_of("db1", layout), "keeper"), "keeper.json"))["exporter"] is None
