"""The one list of flows: complete for every layout, and free of clashes."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from bastide.spec.parts import ROLES
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

layouts = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=6, unique=True),
    min_size=1,
    max_size=12,
)


@given(layouts)
def test_no_two_products_of_a_host_share_a_port_whatever_roles_it_has(layout: dict[str, list[str]]) -> None:
    topology = resolve_topology(make_spec(layout))
    for host in topology.hosts.values():
        listeners = defaultdict(set)
        for flow in topology.flows:
            if flow.port and (flow.target == "any" or flow.target in host.roles):
                # nginx serves two roles on two ports; one port belongs to one product and one target tier.
                listeners[flow.port].add((flow.product, flow.target))
        assert all(len(owners) == 1 for owners in listeners.values()), listeners


@given(layouts)
def test_flow_names_are_unique_and_every_inner_flow_ends_at_a_tier(layout: dict[str, list[str]]) -> None:
    topology = resolve_topology(make_spec(layout))
    names = [flow.name for flow in topology.flows]
    assert len(names) == len(set(names))
    assert all(flow.why for flow in topology.flows)


def test_resilient_encrypts_every_hop_and_whiteboard_says_that_it_does_not() -> None:
    def inner(layout: object, **kwargs: object) -> set[str]:
        topology = resolve_topology(make_spec(layout, **kwargs))  # type: ignore[arg-type]
        outside = {"internet", "admin"}
        return {
            f.encryption
            for f in topology.flows
            if f.source not in outside
            and f.target not in outside
            and f.protocol == "tcp"
            # Monitoring is mutual TLS always, and asks for the site as its users do.
            and f.source not in ("any", "monitor")
        }

    assert inner(RESILIENT) == {"mtls"}
    assert inner(WHITEBOARD, tls={"inside": "plain"}) == {"plain"}


def test_a_single_balancer_has_no_vrrp_and_a_single_database_no_replication() -> None:
    topology = resolve_topology(make_spec(EVERYTHING_ON_ONE))
    names = {flow.name for flow in topology.flows}
    assert "balancer-vrrp" not in names
    assert not any(name.startswith("database-replication") for name in names)
    assert {"internet-https", "balancer-web", "web-app", "app-database"} <= names


def test_static_sites_have_no_application_and_no_flow_to_one() -> None:
    layout = {"lb1": ["balancer"], "web1": ["web"]}
    topology = resolve_topology(make_spec(layout, app={"kind": "static", "path": "./site"}))
    assert not topology.has_flow("web-app")
    assert {s.product for s in topology.services} == {"nftables", "sshd", "system", "haproxy", "nginx"}
