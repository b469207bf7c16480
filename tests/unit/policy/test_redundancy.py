"""Who may be away while the others change."""

from __future__ import annotations

import pytest

from bastide.policy.redundancy import derive_needed
from tests.unit.policy.test_rollout import RESILIENT, layout


@pytest.mark.parametrize("away", ["web1", "app2", "lb1", "db2"])
def test_one_of_several_may_be_away(away: str) -> None:
    assert derive_needed(RESILIENT, frozenset({away}), "db1") == {}


def test_a_sole_host_and_a_whole_tier_may_not() -> None:
    assert derive_needed(RESILIENT, frozenset({"monitor1"}), "db1") == {"monitor1": "no other monitor answers"}
    both = derive_needed(RESILIENT, frozenset({"web1", "web2", "app1"}), "db1")
    assert both == {"web1": "no other web answers", "web2": "no other web answers"}


def test_the_primary_may_not_nor_what_may_be_it() -> None:
    assert derive_needed(RESILIENT, frozenset({"db1"}), "db1") == {"db1": "it is the primary"}
    assert "may be this one" in derive_needed(RESILIENT, frozenset({"db3"}), None)["db3"]


def test_a_host_of_several_roles_must_be_spared_in_each() -> None:
    mixed = layout(one=("web", "app"), two=("web",))
    assert derive_needed(mixed, frozenset({"two"}), None) == {}
    assert derive_needed(mixed, frozenset({"one"}), None) == {"one": "no other app answers"}
