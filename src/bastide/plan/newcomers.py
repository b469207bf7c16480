"""Voters that never voted, where others have.

In: topology, facts. Out: who they are.
Holds: pure. Voters without data found a register with whoever else has none; the old ones are asked first, but they may be
away, or not know a new one yet. So where there is a register, most of its voters must be those that have voted.
"""

from __future__ import annotations

from collections.abc import Mapping

from bastide.plan.facts import HostFacts
from bastide.plan.marks import VOTER_MARKS
from bastide.products.etcd.view import FORMED
from bastide.topology.model import Topology


def find_newcomers(topology: Topology, facts: Mapping[str, HostFacts]) -> tuple[str, ...]:
    """Voters that would outvote those that have voted; empty where all is well, or nobody ever voted."""
    voters = [host.name for host in topology.tier("voter")]
    seen = {name: facts[name].exists for name in voters if name in facts}
    # A mark that was not asked for counts as one that is there: nobody is refused for what was not looked at.
    new = tuple(name for name, marks in seen.items() if not any(marks.get(mark, True) for mark in VOTER_MARKS))
    formed = any(marks.get(FORMED, False) for marks in seen.values())
    return new if formed and len(new) > len(voters) // 2 else ()


def newcomers_words(new: tuple[str, ...], topology: Topology) -> str:
    """What is wrong with them."""
    voters = len(topology.tier("voter"))
    return (
        f"{' and '.join(new)} never voted, and would be {len(new)} of {voters} voters: they would agree with each other, "
        "beside those that know who is primary"
    )
