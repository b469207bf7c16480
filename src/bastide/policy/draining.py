"""Where a host is drained before a change, so that no request meets a server that restarts.

In: topology, a host, the units that its plan starts anew. Out: the hosts at whose HAProxy it is taken out of turn.
Holds: derived from flows: who asks a host is who must stop asking it. Only a tier that stays up without the host
is drained; application hosts drain themselves (`products/nginx/app.conf.j2`), because nginx cannot be told from outside.
"""

from __future__ import annotations

from collections.abc import Collection

from bastide.topology.model import Topology


def drained_at(topology: Topology, host: str, restarting: Collection[str]) -> tuple[str, ...]:
    """The balancers that stop sending requests to this host while these units restart; none if no unit matters."""
    roles = topology.hosts[host].roles
    units = {service.product: service.unit for service in topology.services_of(host)}
    for flow in topology.flows:
        asked = flow.source == "balancer" and flow.target in roles and len(topology.tier(flow.target)) > 1
        if asked and units.get(flow.product) in restarting:
            return tuple(h.name for h in topology.tier(flow.source))
    return ()
