"""What Prometheus on a monitor keeps and computes.

In: HostContext of a monitor. Out: `PrometheusView`, and the configuration as plain values.
Holds: it scrapes nothing (hosts push) and is reached over loopback only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastide.products.context import HostContext
from bastide.topology.flows import LOCAL_ALERTMANAGER, LOCAL_PROMETHEUS

FOLDER = "/etc/bastide/prometheus"
DATA = "/var/lib/bastide/prometheus"
EVALUATION_S = 15
LATE_S = 6 * 3600
"""How old a sample may come: several hours without a monitor, with room to catch up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrometheusView:
    """Values of the unit."""

    host: str
    listen: str
    folder: str
    data: str
    retention_s: int
    retention_bytes: int
    external_url: str
    sandbox: tuple[str, ...]


def derive_view(context: HostContext, sandbox: tuple[str, ...]) -> PrometheusView:
    """The decisions for that monitor."""
    monitor = context.spec.monitor
    return PrometheusView(
        host=context.host.name,
        listen=f"127.0.0.1:{LOCAL_PROMETHEUS}",
        folder=FOLDER,
        data=DATA,
        retention_s=round(monitor.retention),
        retention_bytes=monitor.retention_size,
        external_url=f"http://127.0.0.1:{LOCAL_PROMETHEUS}/",
        sandbox=sandbox,
    )


def derive_configuration() -> dict[str, Any]:
    """prometheus.yml, as plain values."""
    return {
        "global": {"evaluation_interval": f"{EVALUATION_S}s"},
        # A host that was cut off sends what it kept; without this, samples older than the newest are refused. After
        # our own absence hosts catch up at different speeds: the slowest one's oldest sample must still be taken.
        "storage": {"tsdb": {"out_of_order_time_window": f"{LATE_S}s"}},
        "rule_files": [f"{FOLDER}/rules/*.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{LOCAL_ALERTMANAGER}"]}]}],
        },
    }
