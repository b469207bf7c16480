"""The order that follows from flows, and where a host is taken out of turn."""

from __future__ import annotations

from dataclasses import replace

from bastide.policy.draining import drained_at
from bastide.policy.rollout import derive_rollout, tier_order
from bastide.topology.model import Flow, Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import RESILIENT, make_spec


def resilient() -> Topology:
    return resolve_topology(make_spec(RESILIENT))


def test_what_is_asked_changes_before_what_asks_it() -> None:
    assert tier_order(resilient()) == ("monitor", "database", "app", "web", "balancer", "witness")


def test_the_order_follows_from_the_flows_and_from_nothing_else() -> None:
    """The control: with the arrows turned round, so is the order."""
    turn = {"balancer-web": ("web", "balancer"), "web-app": ("app", "web"), "app-database": ("database", "app")}

    def turned(flow: Flow) -> Flow:
        source, target = turn.get(flow.name, (flow.source, flow.target))
        return replace(flow, source=source, target=target)  # type: ignore[arg-type]

    topology = resilient()
    kept = [turned(flow) for flow in topology.flows if flow.name in turn or flow.source in ("any", "internet")]
    order = tier_order(replace(topology, flows=tuple(kept)))
    assert [role for role in order if role != "witness"] == ["monitor", "balancer", "web", "app", "database"]


def test_who_holds_the_address_or_the_writes_changes_last() -> None:
    topology = resilient()
    balancers, databases = topology.tier("balancer"), topology.tier("database")
    batches = derive_rollout(
        topology, fresh=frozenset(), changed=frozenset(topology.hosts), primary=databases[0].name,
        holder=balancers[0].name,
    )  # fmt: skip
    order = [name for batch in batches for name in batch]
    assert order.index(balancers[0].name) > order.index(balancers[1].name)
    assert order.index(databases[0].name) == max(order.index(host.name) for host in databases)


def test_a_batch_is_never_more_than_half_of_a_tier() -> None:
    mixed = resolve_topology(make_spec({"lb1": ["balancer"], **{f"web{n}": ["web", "app"] for n in range(8)}}))
    found = derive_rollout(mixed, fresh=frozenset(), changed=frozenset(mixed.hosts), primary=None, batch=1.0)
    assert all(len(hosts) == 1 for hosts in found), "hosts of two roles never change with another of either tier"
    wide = resolve_topology(make_spec({"lb1": ["balancer", "app"], **{f"web{n}": ["web"] for n in range(8)}}))
    for batch, sizes in ((1.0, [1, 4, 3]), (0.25, [1, 2, 2, 2, 1]), (3, [1, 3, 3, 1]), (99, [1, 4, 3])):
        found = derive_rollout(wide, fresh=frozenset(), changed=frozenset(wide.hosts), primary=None, batch=batch)
        assert [len(hosts) for hosts in found if hosts[0].startswith("web")] == sizes


def test_all_that_answer_being_fresh_is_enough_to_start_together() -> None:
    topology = resilient()
    seen = frozenset(topology.hosts) - {"web2"}
    assert len(derive_rollout(topology, fresh=seen, changed=seen, primary=None, away=frozenset({"web2"}))) == 1
    assert len(derive_rollout(topology, fresh=seen, changed=seen, primary=None)) > 1


def test_a_web_server_is_drained_at_every_balancer_if_it_restarts() -> None:
    topology = resilient()
    every = tuple(host.name for host in topology.tier("balancer"))
    assert drained_at(topology, "web1", {"nginx.service"}) == every
    assert drained_at(topology, "web1", {"prometheus-node-exporter.service"}) == ()
    assert drained_at(topology, "web1", set()) == ()
    assert drained_at(topology, "app1", {"nginx.service", "app.service"}) == (), "these drain themselves"


def test_a_sole_web_server_is_not_drained() -> None:
    topology = resolve_topology(make_spec({"lb1": ["balancer"], "web1": ["web"], "app1": ["app"]}))
    assert drained_at(topology, "web1", {"nginx.service"}) == ()
