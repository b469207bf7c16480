"""Whether the hosts are as they were when a plan was saved.

In: a host's facts and its plan. Out: a fingerprint, the same for the same need from the same state.
Holds: it is a digest; nothing can be read from it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from bastide.plan.facts import HostFacts
from bastide.plan.steps import HostPlan
from bastide.transport.errors import HostFailed


def fingerprint(facts: HostFacts, plan: HostPlan) -> str:
    """Of the generation that runs, and of everything by which the host differs from its bundle (drift as well)."""
    steps = [[type(step).__name__, asdict(step)] for step in plan.steps]
    text = json.dumps([facts.generation, facts.settled, plan.digest, steps], sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()


def world_moved(host: str) -> HostFailed:
    """The refusal for a host that is not as the saved plan has it."""
    return HostFailed(
        host,
        "is not as it was when the plan was saved: someone applied, or changed something by hand",
        operation="compare",
        code="moved",
        hint="Nothing was changed. Make a new plan: bastide plan --out FILE",
    )
