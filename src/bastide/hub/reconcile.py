"""Do the tiers count the same requests?

In: live hosts. Out: what the edge received, what the web servers received, and the drift between.
Holds: edge = Σ web + answers of the edge's own − retries (a retried request reached two web servers), over one
window with common ends for all hosts. None where a host does not cover the window: not known is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bastide.hub.live import LiveHost

WINDOW_S = 60.0
SETTLE_S = 2.5
"""The newest seconds are left out: hosts have not all spoken of them yet."""


def reconcile(edge: Iterable[LiveHost], web: Iterable[LiveHost], now: float) -> dict[str, Any] | None:
    """The window's counts."""
    end = now - SETTLE_S
    balancers, servers = list(edge), list(web)
    if not balancers or not servers:
        return None
    starts = [host.frames[0].t for host in (*balancers, *servers) if host.frames]
    if len(starts) < len(balancers) + len(servers):
        return None
    start = max(end - WINDOW_S, *starts)
    if end - start < WINDOW_S / 6:
        return None
    counts: dict[str, float] = {}
    for name, hosts, prefix in (
        ("edge", balancers, "requests|edge|"),
        ("own", balancers, "edge_own|"),
        ("retries", balancers, "edge_retries"),
        ("web", servers, "requests|web|"),
    ):
        counts[name] = 0.0
        for host in hosts:
            old, new = host.counter_at(prefix, start), host.counter_at(prefix, end)
            if old is None or new is None or new < old:
                return None
            counts[name] += new - old
    drift = counts["edge"] - (counts["web"] + counts["own"] - counts["retries"])
    return {
        **{name: round(value, 1) for name, value in counts.items()},
        "drift": round(drift, 1),
        "drift_share": round(drift / counts["edge"], 5) if counts["edge"] else 0.0,
        "window_s": round(end - start, 1),
    }
