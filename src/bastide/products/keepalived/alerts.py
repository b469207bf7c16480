"""What somebody is told about the virtual address.

In: spec and topology. Out: alert rules over the addresses that the balancers have, as node_exporter sees them.
Holds: only samples of now count. A balancer that died would otherwise go on holding the address for five minutes.
"""

from __future__ import annotations

from bastide.products.rules import Alert, Group, Record, fresh
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout that has a virtual address."""
    if topology.virtual_ip is None:
        return ()
    balancers = topology.tier("balancer")
    names = "|".join(host.name for host in balancers)
    held = fresh(f'node_network_address_info{{address="{topology.virtual_ip}"}}')
    heard = fresh(f'up{{job="node",host=~"{names}"}}')
    return (
        Group(
            name="virtual-ip",
            every_s=5,
            rules=(
                Record(name="virtual_ip:holders:count", expr=f"count({held}) or vector(0)"),
                Alert(
                    name="VirtualIpUnheld",
                    # A balancer that is not heard may hold it.
                    expr=f"(virtual_ip:holders:count == 0) and on () (count({heard}) == {len(balancers)})",
                    lasting_s=20,
                    severity="page",
                    summary=f"No balancer holds {topology.virtual_ip}: nobody reaches the site",
                    look="keepalived and haproxy on every balancer",
                    anchor="virtual-ip",
                ),
                Alert(
                    name="VirtualIpTwice",
                    expr="virtual_ip:holders:count > 1",
                    lasting_s=20,
                    severity="page",
                    summary=f"{{{{ $value }}}} balancers hold {topology.virtual_ip} at the same time",
                    look="whether the balancers hear each other (VRRP), on the network of the virtual address",
                    anchor="virtual-ip",
                ),
            ),
        ),
    )
