"""Voters that never voted must not outvote those that did."""

from __future__ import annotations

import pytest

from bastide.apply.newcomers import refuse_newcomers
from bastide.plan.facts import HostFacts
from bastide.plan.marks import DATA_MARKS, VOTER_MARKS, marks_of
from bastide.plan.newcomers import find_newcomers
from bastide.products.etcd.view import FORMED, MEMBER
from bastide.topology.resolve import resolve_topology
from tests.unit.plan.test_plan import bundle, facts
from tests.unit.specs import RESILIENT, make_spec

DATABASE = {"mode": "replication", "name": "shop", "failover": "automatic"}
TOPOLOGY = resolve_topology(make_spec(RESILIENT, database=DATABASE))
VOTERS = [host.name for host in TOPOLOGY.tier("voter")]


def seen(name: str, *marks: str) -> HostFacts:
    return facts(bundle(name), bundle(name), exists={mark: mark in marks for mark in VOTER_MARKS})


@pytest.mark.parametrize(
    ("marks", "refused"),
    [
        (((), (), ()), 0),  # the first apply
        (((FORMED, MEMBER), (FORMED, MEMBER), (FORMED, MEMBER)), 0),
        (((FORMED, MEMBER), (FORMED, MEMBER), ()), 0),  # one new machine
        (((FORMED, MEMBER), (), ()), 2),
        (((FORMED,), (), ()), 2),  # its data are gone, too
        (((FORMED, MEMBER), (MEMBER,), ()), 0),  # a first apply that was broken off: they had agreed
        (((MEMBER,), (), ()), 0),  # and one that was broken off before they had
    ],
)
def test_most_voters_must_be_those_that_voted(marks: tuple[tuple[str, ...], ...], refused: int) -> None:
    looks = {name: seen(name, *had) for name, had in zip(VOTERS, marks, strict=True)}
    assert len(find_newcomers(TOPOLOGY, looks)) == refused
    failures = refuse_newcomers(TOPOLOGY, looks)
    assert [failed.host for failed in failures] == VOTERS[3 - refused :]
    assert all("never voted" in failed.message and failed.host in failed.hint for failed in failures)


def test_one_at_a_time_is_the_way() -> None:
    assert find_newcomers(TOPOLOGY, {VOTERS[0]: seen(VOTERS[0], FORMED), VOTERS[1]: seen(VOTERS[1])}) == ()


def test_what_was_not_asked_for_refuses_nobody() -> None:
    unasked = {name: facts(bundle(name), bundle(name)) for name in VOTERS[1:]}
    assert find_newcomers(TOPOLOGY, {VOTERS[0]: seen(VOTERS[0], FORMED), **unasked}) == ()


def test_voters_and_databases_are_asked() -> None:
    assert set(marks_of(TOPOLOGY, "db1")) == {*DATA_MARKS, *VOTER_MARKS}
    assert marks_of(TOPOLOGY, "web1") == ()
