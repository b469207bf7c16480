"""Which doors the flows open: worked out a second time, and the same as the generated rules say."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bastide.policy.materials import KeyPair, Materials
from bastide.products.context import HostContext
from bastide.products.nftables.view import view_ruleset
from bastide.topology.resolve import resolve_topology
from bastide.verify.expected import doors_in, doors_out
from tests.unit.specs import RESILIENT, WHITEBOARD, make_spec

NOTHING = Materials(
    trust_anchor_pem="", identities={}, edge=KeyPair(certificate_pem="", key_pem=""), secrets={}, releases={}
)


VOTING = {**RESILIENT, "monitor1": ["monitor", "witness"]}
AUTOMATIC = {"database": {"mode": "replication", "name": "shop", "failover": "automatic"}}


@pytest.mark.parametrize(
    ("layout", "sections"),
    [(RESILIENT, {}), (WHITEBOARD, {}), (VOTING, AUTOMATIC)],
    ids=["resilient", "whiteboard", "voting"],
)
def test_the_flows_and_the_generated_walls_agree_about_every_pair_of_hosts(
    layout: Mapping[str, Sequence[str]], sections: Mapping[str, Any]
) -> None:
    spec = make_spec(layout, **sections)
    topology = resolve_topology(spec)
    doors = 0
    for target in topology.hosts.values():
        view = view_ruleset(HostContext(spec=spec, topology=topology, materials=NOTHING, host=target))
        for source in topology.hosts.values():
            if source == target:
                continue
            for address in target.addresses:
                by_rules = {
                    (rule.protocol, rule.port)
                    for rule in view.incoming
                    if rule.port is not None
                    and rule.family == "ip"
                    and within(str(source.private), rule.sources)
                    and within(str(address), rule.destinations)
                }
                by_flows = doors_in(topology, target, str(address), source.name, str(source.private))
                assert by_flows == by_rules, f"{source.name} → {target.name} {address}"
                doors += len(by_flows)
    assert doors > 10


def within(address: str, networks: tuple[str, ...]) -> bool:
    return not networks or any(ipaddress.ip_address(address) in ipaddress.ip_network(n) for n in networks)


def test_voters_reach_each_other_and_nobody_else_reaches_them() -> None:
    topology = resolve_topology(make_spec(VOTING, **AUTOMATIC))
    witness = topology.hosts["monitor1"]
    port = topology.flow("voter-client").port

    def may_knock(name: str) -> bool:
        other = topology.hosts[name]
        return ("tcp", port) in doors_in(topology, witness, str(witness.private), name, str(other.private))

    assert may_knock("db1") and may_knock("db2") and not may_knock("web1") and not may_knock("app1")


def test_a_web_server_may_reach_applications_and_no_database() -> None:
    topology = resolve_topology(make_spec())
    web, app, db = (topology.hosts[name] for name in ("web1", "app1", "db1"))
    flow = topology.flow("web-app")
    assert ("tcp", flow.port) in doors_out(topology, web, str(app.private))
    assert ("tcp", flow.port) in doors_in(topology, app, str(app.private), "web1", str(web.private))
    sql = topology.flow("app-database").port
    assert ("tcp", sql) not in doors_out(topology, web, str(db.private))
    assert ("tcp", sql) not in doors_in(topology, db, str(db.private), "web1", str(web.private))


def test_a_name_without_the_address_opens_nothing() -> None:
    topology = resolve_topology(make_spec())
    app = topology.hosts["app1"]
    assert not doors_in(topology, app, str(app.private), "web1", "203.0.113.9") - {("tcp", 22)}
