"""Rollout order: whatever is redundant stays up."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from bastide.policy.rollout import derive_rollout
from bastide.spec.parts import ROLES, Role
from bastide.topology.model import Host, Topology


def layout(**hosts: tuple[Role, ...]) -> Topology:
    """A topology of hosts with these roles."""
    return Topology(
        name="shop", domains=("shop.test",), internal_domain="shop.internal", services=(), flows=(),
        virtual_ip=None, hosts={
            name: Host(name=name, roles=roles, private=ip_address("10.0.0.1"), public=None)
            for name, roles in hosts.items()
        },
    )  # fmt: skip


RESILIENT = layout(
    lb1=("balancer",), lb2=("balancer",), web1=("web",), web2=("web",), app1=("app",), app2=("app",),
    db1=("database",), db2=("database",), db3=("database",), monitor1=("monitor",),
)  # fmt: skip
EVERY = frozenset(RESILIENT.hosts)


def test_everything_fresh_starts_together() -> None:
    assert derive_rollout(RESILIENT, fresh=EVERY, changed=EVERY, primary=None) == (tuple(RESILIENT.hosts),)


def test_hosts_that_would_not_understand_each_other_change_at_once() -> None:
    some = frozenset({"lb1", "web2", "db1"})
    assert derive_rollout(RESILIENT, fresh=frozenset(), changed=some, primary="db1", at_once=True) == (
        ("lb1", "web2", "db1"),
    )  # fmt: skip


def test_monitors_then_replicas_then_primary_then_the_tiers_towards_the_edge() -> None:
    assert derive_rollout(RESILIENT, fresh=frozenset(), changed=EVERY, primary="db1") == (
        ("monitor1",), ("db2",), ("db3",), ("db1",), ("app1",), ("app2",), ("web1",), ("web2",), ("lb1",), ("lb2",),
    )  # fmt: skip


def test_a_monitor_that_is_the_primary_too_waits_for_the_replicas() -> None:
    mixed = layout(db1=("monitor", "database"), db2=("database",))
    assert derive_rollout(mixed, fresh=frozenset(), changed=frozenset(mixed.hosts), primary="db1") == (
        ("db2",), ("db1",),
    )  # fmt: skip


def test_large_tier_first_one_then_quarters() -> None:
    wide = layout(**{f"web{i:02}": ("web",) for i in range(12)})
    batches = derive_rollout(wide, fresh=frozenset(), changed=frozenset(wide.hosts), primary=None)
    assert [len(batch) for batch in batches] == [1, 3, 3, 3, 2]


def test_new_host_beside_old_ones_waits_for_its_turn() -> None:
    assert derive_rollout(
        RESILIENT, fresh=frozenset({"web2"}), changed=frozenset({"web2", "app1"}), primary=None
    ) == (("app1",), ("web2",))


def test_nothing_changes_nothing_to_do() -> None:
    assert derive_rollout(RESILIENT, fresh=frozenset(), changed=frozenset(), primary=None) == ()


ROLE_SETS = st.sets(st.sampled_from(ROLES), min_size=1, max_size=3).map(lambda roles: tuple(sorted(roles)))


@given(st.lists(ROLE_SETS, min_size=1, max_size=14), st.data())
def test_what_a_batch_may_hold(roles: list[tuple[Role, ...]], data: st.DataObject) -> None:
    topology = layout(**{f"h{i}": r for i, r in enumerate(roles)})
    names = sorted(topology.hosts)
    changed = frozenset(data.draw(st.sets(st.sampled_from(names))))
    databases = [h.name for h in topology.tier("database")]
    primary = data.draw(st.sampled_from([None, *databases]))
    batches = derive_rollout(topology, fresh=frozenset(), changed=changed, primary=primary)
    assert sorted(name for batch in batches for name in batch) == sorted(changed), "each host exactly once"
    for batch in batches:
        hosts = [topology.hosts[name] for name in batch]
        for role in ROLES:
            tier, here = topology.tier(role), [h for h in hosts if role in h.roles]
            if len(tier) > 1:
                assert len(here) <= max(1, len(tier) // 4)
        assert sum("balancer" in h.roles for h in hosts) <= 1
        if primary in batch:
            assert not any("database" in h.roles and h.name != primary for h in hosts)
