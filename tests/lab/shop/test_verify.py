"""`bastide verify` on the whole shop: every claim holds, and what is broken on purpose is found and named."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.lab.commands import Commands

pytestmark = pytest.mark.lab

UNTESTED = {
    # Done when asked for by name.
    "walls.boot",
    # Nothing travels there while nobody seeds a replica, becomes the primary, or looks at the dashboard.
    "wires.database-seed",
    "wires.database-announce",
    "wires.admin-dashboard",
    # MariaDB begins TLS inside its own protocol; `database.login` tests it.
    "tls.database-replication.db1",
    "tls.database-replication.db2",
}
HOLE = 31337
EDGE = "/etc/bastide/haproxy/haproxy.cfg"
LOOSENED = ("del-header", "set-header X-Forwarded-For", "deny_status 429", "known_host", "txn.path) -m")
"""Lines of the balancer without which what `edge` claims is not so."""
DEAF = "/etc/systemd/system/nginx.service.d/deaf.conf"


def verify(shop: Commands, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and checks by name."""
    done = shop.run("verify", "--json", "--quick", *words, timeout_s=400)
    assert done.returncode in (0, 3), done.stderr
    document = json.loads(done.stdout)
    assert document["version"] == 1
    return done.returncode, {check["id"]: check for check in document["checks"]}


@pytest.mark.timeout(500)
def test_every_claim_is_proven_but_those_that_nothing_shows(shop: Commands) -> None:
    code, checks = verify(shop)
    failed = {name: check["proof"] for name, check in checks.items() if check["result"] == "failed"}
    assert code == 0 and not failed
    untested = {name: c["proof"]["reason"] for name, c in checks.items() if c["result"] == "not_tested"}
    assert untested.keys() <= UNTESTED, untested
    families = Counter(name.partition(".")[0] for name in checks)
    assert min(families[f] for f in ("walls", "wires", "tls", "database", "hosts", "redundancy", "monitoring")) >= 2
    assert {f"walls.in.{host}.ipv4" for host in ("lb1", "db2", "monitor1")} <= checks.keys()
    for value in shop.secrets().values():
        assert value not in json.dumps(checks), "a proof shows a secret"


@pytest.mark.timeout(500)
def test_a_hole_in_a_wall_and_what_listens_behind_it_are_named(shop: Commands) -> None:
    shop.ask(
        "db1",
        f"systemd-run -q --unit=planted python3 -m http.server --directory /var/empty {HOLE}\n"
        f"until ss -Htln sport = :{HOLE} | grep -q .; do sleep 0.1; done",
    )
    shop.ask("db1", f"nft insert rule inet bastide input tcp dport {HOLE} accept")
    try:
        code, checks = verify(shop, "walls")
    finally:
        shop.ask("db1", "systemctl stop planted; systemctl reload bastide-firewall")
    assert code == 3
    failed = {name for name, check in checks.items() if check["result"] == "failed"}
    assert {"walls.ruleset.db1", "walls.listeners.db1", "walls.in.db1.ipv4"} <= failed
    assert all(".db1" in name for name in failed), "and nobody else is blamed"
    assert any(f"{HOLE} is open" in line for line in checks["walls.in.db1.ipv4"]["proof"]["wrong"])


@pytest.mark.timeout(500)
def test_rules_that_the_edge_lost_and_a_reload_that_does_nothing_are_named(shop: Commands) -> None:
    lines = " ".join(f"-e '/{words}/d'" for words in LOOSENED)
    shop.ask("lb1", f"cp -a {EDGE} /root/kept.cfg && sed -i {lines} {EDGE} && systemctl reload haproxy")
    shop.ask(
        "web1", f"mkdir -p $(dirname {DEAF}) && printf '[Service]\nExecReload=\nExecReload=/bin/true\n' > {DEAF}"
    )
    shop.ask("web1", "systemctl daemon-reload")
    try:
        code, checks = verify(shop, "edge", "hosts.reload")
    finally:
        shop.ask("lb1", f"cp -a /root/kept.cfg {EDGE} && rm /root/kept.cfg && systemctl reload haproxy")
        shop.ask(
            "web1", f"rm {DEAF} && rmdir $(dirname {DEAF}) && systemctl daemon-reload && systemctl reload nginx"
        )
    failed = {name for name, check in checks.items() if check["result"] == "failed"}
    assert code == 3
    assert failed == {
        "edge.forwarded.lb1", "edge.host.lb1", "edge.paths.lb1", "edge.rate.requests.lb1", "hosts.reload.web1",
    }  # fmt: skip
    assert {"edge.forwarded.lb2", "edge.paths.lb2", "hosts.reload.web2", "hosts.reload.lb1"} <= checks.keys()


@pytest.mark.timeout(500)
def test_a_machine_that_restarts_without_its_wall_is_told_from_one_that_has_it(shop: Commands) -> None:
    shop.ask("web1", "systemctl disable bastide-firewall")
    try:
        _, bare = verify(shop, "walls.boot")
    finally:
        shop.ask("web1", "systemctl enable --now bastide-firewall")
    code, walled = verify(shop, "walls.boot")
    shop.await_healthy()
    assert bare["walls.boot"]["result"] == "failed", bare
    assert code == 0 and walled["walls.boot"]["result"] == "proven", walled
    assert walled["walls.boot"]["proof"]["host"] == "web1"
