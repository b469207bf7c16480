"""What stops the service: named exactly, for every layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.policy.cutsets import KINDS, UnknownPart, cut_sets, predict
from bastide.policy.structure import All, AnyOf, AtLeast, Cut, Need, Part, minimal_cuts, works
from bastide.spec.parts import ROLES
from bastide.topology.model import Service, Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

parts = st.sampled_from("abcde").map(Part)
needs: st.SearchStrategy[Need] = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda n: All(tuple(n))),
        st.lists(inner, max_size=4).map(lambda n: AnyOf(tuple(n))),
        st.tuples(st.integers(0, 4), st.lists(inner, max_size=4)).map(lambda t: AtLeast(t[0], tuple(t[1]))),
    ),
    max_leaves=12,
)


@given(needs, st.integers(0, 5))
def test_minimal_cuts_are_what_trying_every_set_finds(need: Need, order: int) -> None:
    found: list[Cut] = []
    for size in range(order + 1):
        for names in combinations("abcde", size):
            lost = frozenset(names)
            if not works(need, lost) and not any(smaller <= lost for smaller in found):
                found.append(lost)
    assert minimal_cuts(need, order) == frozenset(found)


def topology_of(layout: dict[str, list[str]], voters: Sequence[str] = ()) -> Topology:
    topology = resolve_topology(make_spec(layout))
    votes = tuple(Service(product="etcd", host=name, unit="etcd.service") for name in voters)
    return replace(topology, services=topology.services + votes)


def clients_are_served(topology: Topology, lost: frozenset[str]) -> bool:
    """By hand, host by host: follow one request through every way that there is."""

    def alive(host: str, *products: str) -> bool:
        has = {s.product for s in topology.services_of(host)}
        return host not in lost and not any(p in has and f"{host}/{p}" in lost for p in products)

    balancers, webs, apps, databases = (
        [h.name for h in topology.tier(role)] for role in ("balancer", "web", "app", "database")
    )
    if topology.virtual_ip is None:
        del balancers[1:]
    voters = [s.host for s in topology.services if s.product == "etcd"]
    for balancer in balancers:
        for web in webs:
            for app in apps:
                for candidate in databases[: 2 if voters else 1]:
                    votes = sum(alive(v, "etcd") for v in voters)
                    if (
                        alive(balancer, "haproxy", "keepalived")
                        and alive(web, "nginx")
                        and alive(app, "nginx", "app", "sqlproxy")
                        and alive(candidate, "mariadb", "keeper", "sqlproxy")
                        and (not voters or votes * 2 > len(voters))
                    ):
                        return True
    return False


layouts = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}", fullmatch=True),
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=4, unique=True),
    min_size=1,
    max_size=5,
).filter(lambda layout: {"balancer", "web", "app", "database"} <= {role for r in layout.values() for role in r})


@settings(deadline=None, max_examples=60)
@given(layouts, st.integers(0, 5))
def test_cut_sets_are_what_losing_every_pair_of_a_small_layout_finds(
    layout: dict[str, list[str]], votes: int
) -> None:
    topology = topology_of(layout, list(layout)[:votes])
    for kind, names in (
        ("hosts", list(topology.hosts)),
        ("services", [f"{s.host}/{s.product}" for s in topology.services]),
    ):
        expected: list[frozenset[str]] = []
        for size in (1, 2):
            for pair in combinations(names, size):
                lost = frozenset(pair)
                if not clients_are_served(topology, lost) and not any(smaller <= lost for smaller in expected):
                    expected.append(lost)
        found = [cut for cut in cut_sets(topology) if cut.kind == kind]
        assert {frozenset(cut.elements) for cut in found} == set(expected)
        assert all(cut.stops == KINDS and cut.why for cut in found)


@settings(deadline=None, max_examples=60)
@given(layouts, st.integers(0, 5), st.data())
def test_a_prediction_agrees_for_any_mixture_of_hosts_and_services(
    layout: dict[str, list[str]], votes: int, data: st.DataObject
) -> None:
    topology = topology_of(layout, list(layout)[:votes])
    names = [*topology.hosts, *(f"{s.host}/{s.product}" for s in topology.services)]
    lost = data.draw(st.frozensets(st.sampled_from(names)))
    loss = predict(topology, lost)
    assert loss.reads is loss.writes is (not clients_are_served(topology, lost))
    assert loss.why


def single(topology: Topology) -> list[str]:
    return [cut.elements[0] for cut in cut_sets(topology, 1) if cut.kind == "hosts"]


def test_the_whiteboard_hangs_on_its_balancer_and_on_its_primary() -> None:
    topology = resolve_topology(make_spec(WHITEBOARD))
    assert single(topology) == ["lb1", "server1"]
    loss = predict(topology, {"server1"})
    assert loss.writes and "nothing takes over" in loss.why
    other = predict(topology, {"server2"})
    assert not other.reads and not other.writes and "goes on with server1" in other.why


def test_who_is_primary_may_be_told() -> None:
    topology = resolve_topology(make_spec(WHITEBOARD))
    assert predict(topology, {"server2"}, primary="server2").writes
    assert not predict(topology, {"server1"}, primary="server2").writes


def test_with_takeover_no_host_is_a_single_point_and_two_voters_are_a_pair() -> None:
    topology = topology_of({k: list(v) for k, v in RESILIENT.items()}, ["db1", "db2", "monitor1"])
    assert single(topology) == []
    pairs = {cut.elements for cut in cut_sets(topology) if cut.kind == "hosts"}
    assert pairs == {
        ("lb1", "lb2"), ("web1", "web2"), ("app1", "app2"),
        ("db1", "db2"), ("db1", "monitor1"), ("db2", "monitor1"),
    }  # fmt: skip


AUTOMATIC = {"mode": "replication", "failover": "automatic"}


def test_the_spec_says_whether_takeover_is_automatic() -> None:
    topology = resolve_topology(make_spec(RESILIENT, database=AUTOMATIC))
    assert single(topology) == []
    loss = predict(topology, {"db1"})
    assert not loss.reads and not loss.writes and "goes on with db2" in loss.why


def test_where_writes_wait_for_a_standby_each_database_stops_writes_and_no_reads() -> None:
    topology = resolve_topology(make_spec(RESILIENT, database=AUTOMATIC | {"without_standby": "block"}))
    points = {cut.elements: cut.stops for cut in cut_sets(topology, 1) if cut.kind == "hosts"}
    assert points == {("db1",): ("writes",), ("db2",): ("writes",)}
    loss = predict(topology, {"db2"})
    assert loss.writes and not loss.reads and "second database" in loss.why
    pair = next(cut for cut in cut_sets(topology) if cut.elements == ("db1", "db2"))
    assert pair.stops == ("reads",)


def test_where_a_promise_replaces_votes_both_databases_go_on_without_most_voters() -> None:
    for without_quorum in ("stop", "go_on"):
        topology = resolve_topology(make_spec(RESILIENT, database=AUTOMATIC | {"without_quorum": without_quorum}))
        voters = [f"{service.host}/etcd" for service in topology.services if service.product == "etcd"]
        assert predict(topology, voters).writes == (without_quorum == "stop")
        assert predict(topology, {*voters, "db2/keeper"}).writes, "nobody is there to promise"


def test_one_host_is_one_point_and_each_of_its_services_another() -> None:
    topology = resolve_topology(make_spec(EVERYTHING_ON_ONE))
    assert single(topology) == ["all1"]
    services = {cut.elements[0] for cut in cut_sets(topology, 1) if cut.kind == "services"}
    assert services == {f"all1/{p}" for p in ("haproxy", "nginx", "app", "sqlproxy", "mariadb", "keeper")}
    assert not predict(topology, {"all1/prometheus"}).reads


def test_a_site_of_files_needs_no_application() -> None:
    layout = {"lb1": ["balancer"], "web1": ["web"], "web2": ["web"]}
    topology = resolve_topology(make_spec(layout, app={"kind": "static", "path": "./site"}))
    assert single(topology) == ["lb1"]
    assert predict(topology, {"web1", "web2"}).writes


def test_a_loss_of_what_is_not_there_is_refused() -> None:
    topology = resolve_topology(make_spec(WHITEBOARD))
    with pytest.raises(UnknownPart, match="server9"):
        predict(topology, {"server9"})
