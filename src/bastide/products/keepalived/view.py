"""How the balancers share the virtual address: every decision of keepalived, typed.

In: a HostContext of a balancer in a layout with the flow `balancer-vrrp`. Out: `KeepalivedView`. Holds: every
balancer derives the same router id, version and interval, and a priority of its own.

Decisions that are not obvious
- All start as BACKUP, and `nopreempt`: the address moves when its holder fails and at no other time; a host
  that comes back does not take it again. Priorities (spec order) only decide who is first, and which of two
  holders yields.
- HAProxy's health arrives by a file that HAProxy's own unit writes (0.13-0.18 s until the address has moved; a
  script runs once a second at best, and `track_process` does not work in containers). Without HAProxy the file
  says 1, so a host never holds an address behind which nothing listens.
- A balancer may lose its way to the web servers (its card in the private network, its certificate) and still be
  heard by the other in the public one. The holder then passes the address on, once (`pass_on.sh`): the other may reach
  them. Not by priority: with `nopreempt` a lower one moves nothing; not for as long as it lasts: where all web servers
  are gone somebody has to say so to visitors.
- keepalived killed -9 leaves the address where it was, while the other balancer takes it too: the unit removes
  it whenever the daemon is gone, however it went, and before it starts.
- Without `balancer.interface` no interface is written, and keepalived's own check refuses the file before
  anything changes: nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastide.products.context import HostContext
from bastide.products.haproxy.view import REACH_SOCKET, TRACK_FOLDER
from bastide.spec.values import IPAddress
from bastide.topology.model import Host

FOLDER = "/etc/bastide/keepalived"
HIGHEST_PRIORITY = 250
PRIORITY_STEP = 10
LOOKS = 2
"""How many failures in a row, a second apart, move the address."""
PASS_ON_S = LOOKS + 2
"""These, and time for the other to take the address."""
AGAIN_S = 10
"""Web servers that come and go do not move the address each time."""
RETRY_S = 60
"""The other may reach them by now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepalivedView:
    """Everything the templates write."""

    project: str
    host: str
    folder: str
    track_folder: str
    track_file: str
    passes_on: bool
    """Whether there is another to pass the address on to, and something else to say than the page of maintenance."""
    reach_socket: str
    looks: int
    pass_on_s: int
    again_s: int
    retry_s: int
    interface: str
    """Empty when the spec names none."""
    router_id: int
    priority: int
    advert_interval_s: str
    """Seconds in steps of 10 ms, as VRRPv3 carries them."""
    address: IPAddress
    peers: tuple[IPAddress, ...]
    virtual_address: str
    """With its prefix: the address alone, no network."""


def derive_view(context: HostContext) -> KeepalivedView:
    """keepalived on that host. Raises KeyError where the layout has no `balancer-vrrp`: asking then is a bug."""
    spec, topology = context.spec, context.topology
    balancers = topology.tier(topology.flow("balancer-vrrp").target)
    virtual_ip = topology.virtual_ip
    assert virtual_ip is not None, "the flow balancer-vrrp exists only with a virtual address"
    return KeepalivedView(
        project=spec.name,
        host=context.host.name,
        folder=FOLDER,
        track_folder=TRACK_FOLDER,
        track_file=f"{TRACK_FOLDER}/haproxy_down",
        passes_on=len(balancers) > 1 and not spec.balancer.maintenance,
        reach_socket=REACH_SOCKET,
        looks=LOOKS,
        pass_on_s=PASS_ON_S,
        again_s=AGAIN_S,
        retry_s=RETRY_S,
        interface=spec.balancer.interface or "",
        router_id=spec.balancer.router_id,
        priority=max(1, HIGHEST_PRIORITY - PRIORITY_STEP * balancers.index(context.host)),
        advert_interval_s=f"{max(0.01, spec.balancer.advert_interval):.2f}",
        address=_address(context.host),
        peers=tuple(_address(host) for host in balancers if host != context.host),
        virtual_address=f"{virtual_ip}/{virtual_ip.max_prefixlen}",
    )


def _address(host: Host) -> IPAddress:
    """The flow runs on the public network; a host without one has a single address for both."""
    return host.public or host.private
