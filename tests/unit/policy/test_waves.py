"""Where nothing is lost by more than a reload, tiers need not wait for each other; pairs and askers still do."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bastide.policy.rollout import derive_rollout
from bastide.spec.parts import ROLES
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import RESILIENT, make_spec

PRODUCTS = ("nftables", "nginx", "haproxy", "agent", "mariadb", "prometheus")


def waves(
    topology: Topology,
    reloads: dict[str, frozenset[str]],
    primary: str | None = None,
    holder: str | None = None,
) -> tuple[tuple[str, ...], ...]:
    return derive_rollout(
        topology, fresh=frozenset(), changed=frozenset(reloads), primary=primary, holder=holder, reloads=reloads
    )


def resilient() -> Topology:
    return resolve_topology(make_spec(RESILIENT))


def test_a_rule_of_every_firewall_takes_two_batches() -> None:
    topology = resilient()
    everywhere = {name: frozenset({"nftables"}) for name in topology.hosts}
    found = waves(topology, everywhere, primary="db1", holder="lb1")
    assert [sorted(batch) for batch in found] == [
        ["app1", "db2", "lb2", "monitor1", "web1"],
        ["app2", "db1", "lb1", "web2"],
    ]


def test_who_asks_for_what_changes_waits_for_all_that_offer_it() -> None:
    topology = resilient()
    tiers = [*topology.tier("web"), *topology.tier("app")]
    found = waves(topology, {host.name: frozenset({"nginx"}) for host in tiers})
    assert found == (("app1",), ("app2",), ("web1",), ("web2",)), (
        "nginx of a web server asks nginx of an application's"
    )


def test_the_control_something_that_restarts_keeps_the_order_of_tiers() -> None:
    topology = resilient()
    changed = frozenset(topology.hosts)
    found = derive_rollout(topology, fresh=frozenset(), changed=changed, primary="db1", reloads=None)
    assert len(found) == len(changed)


ROLE_SETS = st.sets(st.sampled_from(ROLES), min_size=1, max_size=3)


@given(st.lists(ROLE_SETS, min_size=1, max_size=12), st.data())
def test_never_both_of_a_pair_and_each_host_once(roles: Sequence[set[str]], data: st.DataObject) -> None:
    hosts = {f"h{i}": sorted(some) for i, some in enumerate(roles)}
    hosts["lb0"] = ["balancer", "web", "app", "database", "monitor"]
    topology = resolve_topology(make_spec(hosts))
    names = sorted(topology.hosts)
    products = st.frozensets(st.sampled_from(PRODUCTS), max_size=3)
    reloads = {name: data.draw(products) for name in data.draw(st.sets(st.sampled_from(names)))}
    last = data.draw(st.sampled_from([host.name for host in topology.tier("database")]))
    found = waves(topology, reloads, primary=last)
    assert sorted(name for batch in found for name in batch) == sorted(reloads)
    for number, batch in enumerate(found):
        for role in ROLES:
            tier = {host.name for host in topology.tier(role)}
            earlier = tier & {name for before in found[:number] for name in before}
            if len(tier) > 1:
                assert len(tier & set(batch)) <= (max(1, len(tier) // 2) if earlier else 1)
        if last in batch:
            later = {name for after in found[number:] for name in after} - {last}
            assert not any("database" in topology.hosts[name].roles for name in later)
