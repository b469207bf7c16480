"""What the verbs say of a running shop, in the forms that scripts rely on."""

from __future__ import annotations

import json

import pytest

from tests.lab.commands import Commands
from tests.lab.shop.conftest import Raised
from tests.waiting import wait_for

pytestmark = pytest.mark.lab


def test_an_unknown_host_is_refused_with_the_nearest_name(shop: Commands) -> None:
    refused = shop.run("exec", "wbe1", "--", "true")
    assert refused.returncode == 2 and "did you mean 'web1'?" in refused.stderr
    refused = shop.run("logs", "web1/mariadb")
    assert refused.returncode == 2 and "nginx" in refused.stderr


def test_exec_is_transparent(shop: Commands) -> None:
    failed = shop.run("exec", "web1", "--", "sh", "-c", "echo out; echo err >&2; exit 42")
    assert (failed.returncode, failed.stdout, failed.stderr) == (42, "out\n", "err\n")
    assert shop.do("exec", "client", "--", "tr", "a-z", "A-Z", given="through and back\n") == "THROUGH AND BACK\n"
    assert shop.do("exec", "db1", "--", "printf", "%s|", "a b", "$HOME", "'") == "a b|$HOME|'|"


def test_status_has_the_keys_that_were_published(raised: Raised) -> None:
    status = raised.commands.await_healthy()
    assert {"version", "name", "url", "ca", "healthy", "hosts"} <= status.keys()
    assert (status["name"], status["url"], status["healthy"]) == ("shop", "https://shop.test/", True)
    assert status["ca"] == raised.facts["ca"]
    hosts = {host["name"]: host for host in status["hosts"]}
    assert list(hosts) == ["lb1", "lb2", "web1", "web2", "app1", "app2", "db1", "db2", "monitor1"]
    for host in hosts.values():
        assert {"name", "roles", "healthy", "address", "services"} <= host.keys()
        assert host["services"] and all({"name", "healthy"} <= service.keys() for service in host["services"])
    assert {service["name"] for service in hosts["app1"]["services"]} >= {"nftables", "nginx", "app", "sqlproxy"}
    assert sorted(hosts[name]["database"] for name in ("db1", "db2")) == ["primary", "replica"]
    assert sum(host["holds_virtual_ip"] for host in hosts.values()) == 1
    table = wait_for(lambda: raised.commands.run("status"), lambda done: done.returncode == 0).stdout
    assert all(f"● {name}" in table for name in hosts) and "all 9 hosts healthy" in table


def test_a_stopped_service_is_unhealthy_and_named(shop: Commands) -> None:
    shop.ask("web2", "systemctl stop nginx")
    seen = shop.run("status", "--json")
    shop.ask("web2", "systemctl start nginx")
    assert seen.returncode == 1
    hosts = {host["name"]: host for host in json.loads(seen.stdout)["hosts"]}
    assert [name for name, host in hosts.items() if not host["healthy"]] == ["web2"]
    assert [s["name"] for s in hosts["web2"]["services"] if not s["healthy"]] == ["nginx"]
    shop.await_healthy()


def test_logs_of_a_service_on_a_host(shop: Commands) -> None:
    lines = shop.do("logs", "web1/nginx").splitlines()
    assert lines and all(line.startswith("web1 ") for line in lines)
    assert {line.split()[0] for line in shop.do("logs", "sqlproxy", "-n", "5").splitlines()} == {
        "app1",
        "app2",
        "db1",
        "db2",
    }


def test_config_is_the_whole_spec_with_its_origins(shop: Commands) -> None:
    text = shop.do("config")
    assert "domains: [shop.test]" in text and "# bastide.yaml:" in text and "# default" in text
    document = json.loads(shop.do("config", "--json"))
    assert document["version"] == 1


def test_applying_again_changes_nothing(shop: Commands) -> None:
    assert shop.run("plan", "--exit-code").returncode == 0
    again = json.loads(shop.do("apply", "--json"))
    assert again["changes"] == 0 and again["version"] == 1
    assert {host["result"] for host in again["hosts"]} == {"unchanged"} and len(again["hosts"]) == 9
