"""The checks that concern several fields at once.

In: a Spec that is valid field by field. Out: faults, by place in the spec.
Holds: pure; files on disk are the business of `paths.py`.
"""

from __future__ import annotations

from bastide.spec.checks.application import APPLICATION_RULES
from bastide.spec.checks.database import DATABASE_RULES
from bastide.spec.checks.edge import EDGE_RULES
from bastide.spec.checks.hosts import HOST_RULES
from bastide.spec.checks.likely import LIKELY_RULES
from bastide.spec.checks.monitoring import MONITORING_RULES
from bastide.spec.checks.rule import overlap
from bastide.spec.checks.snippets import SNIPPET_RULES
from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec

RULES = (
    *HOST_RULES,
    *EDGE_RULES,
    *APPLICATION_RULES,
    *DATABASE_RULES,
    *MONITORING_RULES,
    *SNIPPET_RULES,
    *LIKELY_RULES,
)


def check_semantics(spec: Spec, *, doubtful: frozenset[Keys] = frozenset()) -> list[Fault]:
    """Every contradiction in the spec. Nothing is said of a doubtful place: it has its own fault already."""
    found = [fault for rule in RULES if rule.can_run(doubtful) for fault in rule.check(spec)]
    return [fault for fault in found if not any(overlap(fault.path, path) for path in doubtful)]
