"""Live figures for `bastide status`: what a monitor hears, beside what the hosts say themselves.

In: a Target. Out: the keys that `status --json` has more: `live` and `live_reason`.
Holds: never raises for want of a monitor: status is what one asks when monitoring is down.
"""

from __future__ import annotations

from typing import Any

from bastide.project.monitoring import HubSilent, ask_hub, monitor_names
from bastide.project.target import Target

_KEPT = ("t", "monitor", "data_age_s", "verdict", "services", "virtual_ip", "database", "reconciliation", "alerts")
_HOST = ("name", "state", "age_s", "gauges", "vip", "database", "lag_s", "failed_units", "services")


def observe_live(target: Target) -> dict[str, Any]:
    """Figures, or None and why."""
    if not monitor_names(target):
        return {"live": None, "live_reason": ""}
    try:
        _, state = ask_hub(target, "state")
    except HubSilent as error:
        return {"live": None, "live_reason": str(error)}
    live = {key: state.get(key) for key in _KEPT}
    live["hosts"] = [{key: host.get(key) for key in _HOST} for host in state["hosts"]]
    return {"live": live, "live_reason": ""}
