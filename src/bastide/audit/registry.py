"""Every rule of audit, in the order in which findings of one severity are told.

In: nothing. Out: `RULES` and `RULES_BY_ID`. Holds: ids are unique; the three flaws of the infrastructure as it is
usually first drawn stand first.
"""

from __future__ import annotations

from collections.abc import Mapping

from bastide.audit.rule import Rule
from bastide.audit.rules.availability import AVAILABILITY_RULES
from bastide.audit.rules.database import DATABASE_RULES
from bastide.audit.rules.edge import EDGE_RULES
from bastide.audit.rules.famous import FAMOUS_RULES
from bastide.audit.rules.network import NETWORK_RULES
from bastide.audit.rules.operations import OPERATIONS_RULES
from bastide.audit.rules.secrets import SECRET_RULES
from bastide.audit.rules.services import SERVICE_RULES
from bastide.audit.rules.tls import TLS_RULES
from bastide.audit.rules.uniformity import UNIFORMITY_RULES
from bastide.audit.rules.waivers import UNKNOWN_RULE, UNUSED, WAIVER_RULES

RULES: tuple[Rule, ...] = (
    *FAMOUS_RULES,
    *AVAILABILITY_RULES,
    *UNIFORMITY_RULES,
    *TLS_RULES,
    *NETWORK_RULES,
    *DATABASE_RULES,
    *SECRET_RULES,
    *SERVICE_RULES,
    *EDGE_RULES,
    *OPERATIONS_RULES,
    *WAIVER_RULES,
    UNKNOWN_RULE,
    UNUSED,
)
RULES_BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}
"""By id."""
CATEGORIES: Mapping[str, str] = {
    "AVA": "Availability",
    "UNI": "Uniformity",
    "TLS": "Encryption",
    "PKI": "Certificates",
    "NET": "Walls",
    "DB": "Database",
    "SEC": "Secrets",
    "SSH": "Login",
    "SVC": "Services",
    "EDGE": "Edge",
    "OPS": "Operations",
    "WAI": "Waivers",
}
"""By the letters that ids begin with."""


def category(rule_id: str) -> str:
    """What the rule is about."""
    return CATEGORIES[rule_id.rstrip("0123456789")]
