"""New voters are let in one after the other.

In: topology, facts of the hosts of a run. Out: what to tell of whom, by host. Holds: nothing was changed by then.
"""

from __future__ import annotations

from collections.abc import Mapping

from bastide.plan.facts import HostFacts
from bastide.plan.newcomers import find_newcomers, newcomers_words
from bastide.topology.model import Topology
from bastide.transport.errors import HostFailed


def refuse_newcomers(topology: Topology, facts: Mapping[str, HostFacts]) -> tuple[HostFailed, ...]:
    """One for each voter that must not come along yet."""
    new = find_newcomers(topology, facts)
    return tuple(
        HostFailed(
            host,
            newcomers_words(new, topology),
            operation="observe",
            code="newcomers",
            hint="Change one voter at a time: this one by `bastide apply --only`, with the old ones running, then "
            f"bastide db readmit {host}. Where most of the old ones are lost for ever: bastide db force-quorum, on one "
            f"that is left, then bastide db readmit {host} and bastide apply --only {host}, then the next one.",
        )
        for host in new
    )
