"""etcd on the voters: who has it, who may speak to it, and what the keeper is told."""

from __future__ import annotations

import json

from bastide.bundle.compile import compile_bundles
from bastide.policy.identities import derive_accepted_addresses, derive_accepted_peers
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import RESILIENT, WHITEBOARD, make_spec

AUTOMATIC = make_spec(RESILIENT, database={"name": "shop", "failover": "automatic"})
VOTERS = ("db1", "db2", "monitor1")


def files(host: str) -> dict[str, str]:
    topology = resolve_topology(AUTOMATIC)
    bundle = compile_bundles(AUTOMATIC, topology, fake_materials(AUTOMATIC, topology))[host]
    return {f.path: f.content.decode() for f in bundle.files if not f.path.endswith(".pyz")}


def test_databases_and_witness_vote_and_nobody_else() -> None:
    topology = resolve_topology(AUTOMATIC)
    assert tuple(s.host for s in topology.services if s.product == "etcd") == VOTERS
    for name in ("voter-peer", "voter-client"):
        flow = topology.flow(name)
        assert flow.encryption == "mtls"
        assert tuple(p.common_name for p in derive_accepted_peers(topology, flow)) == tuple(
            f"voter.{v}" for v in VOTERS
        )
        assert derive_accepted_addresses(topology, flow) == tuple(topology.hosts[v].private for v in VOTERS)


def test_without_automatic_failover_there_are_no_voters() -> None:
    for layout in (RESILIENT, WHITEBOARD):
        topology = resolve_topology(make_spec(layout))
        assert not topology.tier("voter") and not topology.has_flow("voter-peer")


def test_every_member_names_all_and_refuses_other_peers() -> None:
    for host in VOTERS:
        unit = files(host)["/etc/systemd/system/etcd.service"]
        for voter in VOTERS:
            assert f"{voter}=https://voter.{voter}.shop.internal:2380" in unit
        assert "--peer-client-cert-auth" in unit and "--client-cert-auth" in unit
        assert "--peer-cert-allowed-hostname=voter.shop.internal" in unit
        hosts = files(host)["/etc/bastide/etcd/hosts"].splitlines()
        assert sum("voter.shop.internal" in line for line in hosts) == 3


def test_the_server_starts_only_with_the_keepers_permit() -> None:
    unit = files("db1")["/etc/systemd/system/mariadb.service"]
    assert "ConditionPathExists=/run/bastide-keeper/permit" in unit and "Restart=no" in unit
    assert "Restart=on-failure" not in unit


def test_a_keeper_asks_its_own_host_first() -> None:
    for host in ("db1", "db2"):
        told = json.loads(files(host)["/etc/bastide/keeper/keeper.json"])["failover"]
        assert told["register"]["members"][0]["name"] == f"voter.{host}.shop.internal"
        assert len(told["register"]["members"]) == 3 and told["strict"] is False
