"""Whether hosts would stop understanding each other halfway through a rollout.

In: plans. Out: yes or no. Holds: a host says in one small file how it speaks to its neighbours; where that file
changes on a host that already had one, hosts of before and after cannot serve together, so all change at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from bastide.plan.steps import HostPlan, WriteFile
from bastide.products.system.render import WIRE


def speaks_anew(plans: Iterable[HostPlan]) -> bool:
    """Whether any host would speak to its neighbours in another way than now."""
    return any(
        isinstance(step, WriteFile) and step.path == WIRE and step.had is not None and step.had != step.new
        for plan in plans
        for step in plan.steps
    )
