"""One-time permissions that need a look at several hosts at once.

In: topology, facts. Out: grants by host; the host writes them to `/run/bastide/grants/` before it activates.
Holds: a grant to initialise a database is given only when every database host was seen and none has data, so a host
that is away can never lead to a second, empty database.
"""

from __future__ import annotations

from collections.abc import Mapping

from bastide.plan.facts import HostFacts
from bastide.plan.marks import DATA_MARKS
from bastide.topology.model import Topology

DATABASE_INITIALISE = "database-initialise"


def decide_grants(topology: Topology, facts: Mapping[str, HostFacts]) -> Mapping[str, tuple[str, ...]]:
    """Grants by host; hosts without one are not named."""
    databases = [host.name for host in topology.tier("database")]
    if not databases or any(name not in facts for name in databases):
        return {}
    # A mark that was not asked for counts as data: never guess in favour of an empty database.
    if any(facts[name].exists.get(mark, True) for name in databases for mark in DATA_MARKS):
        return {}
    return {databases[0]: (DATABASE_INITIALISE,)}
