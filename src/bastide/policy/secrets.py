"""Which secrets an infrastructure needs, and where each comes from.

In: a Spec. Out: references by name; the values are `pki/secrets.py`'s business.
Holds: every name that a product may look up in `Materials.secrets` is chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping

from bastide.spec.model import Spec
from bastide.spec.parts import Secret

DATABASE_PASSWORD = "database.password"  # noqa: S105 (names, not values)
DATABASE_REPLICATION = "database.replication"
KEEPALIVED_AUTH = "keepalived.auth"
APP_PREFIX = "app."
MONITOR_EMAIL = "monitor.email"
MONITOR_SLACK = "monitor.slack"
HUB_PUSH_TOKEN = "hub.push_token"  # noqa: S105


def derive_secrets(spec: Spec) -> Mapping[str, Secret]:
    """Every secret by its name."""
    wanted = {f"{APP_PREFIX}{variable}": secret for variable, secret in spec.app.secrets.items()}
    if spec.database:
        wanted[DATABASE_PASSWORD] = spec.database.password
        wanted[DATABASE_REPLICATION] = Secret(generate=32)
    # `auto` becomes an address in the lab once there are two balancers; a secret more does no harm.
    if spec.balancer.virtual_ip != "none":
        wanted[KEEPALIVED_AUTH] = Secret(generate=16)
    return wanted | _monitoring(spec)


def _monitoring(spec: Spec) -> dict[str, Secret]:
    if not any("monitor" in host.roles for host in spec.hosts.values()):
        return {}
    wanted = {HUB_PUSH_TOKEN: Secret(generate=32)}
    alerting = spec.monitor.alerting
    if alerting.email and alerting.email.password:
        wanted[MONITOR_EMAIL] = alerting.email.password
    if alerting.slack:
        wanted[MONITOR_SLACK] = alerting.slack.url
    return wanted
