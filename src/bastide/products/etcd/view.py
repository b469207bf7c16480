"""What etcd is told on one voter.

In: HostContext of a voter. Out: `EtcdView`.
Holds: every listener takes certificates of voters alone; the members are those of the spec, so that a member that
lost its data does not come back as another one without somebody having said so.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastide.policy.identities import VOTER, Identity
from bastide.products.context import HostContext
from bastide.topology.flows import ETCD_CLIENT, ETCD_PEER, LOCAL_ETCD
from bastide.topology.model import Topology

FOLDER = "/etc/bastide/etcd"
DATA = "/var/lib/bastide/etcd"
USER = "etcd"
METRICS = f"http://127.0.0.1:{LOCAL_ETCD}"
FORMED = f"{DATA}/formed"
"""There while this member knows of a leader, or once did."""
MEMBER = f"{DATA}/member.etcd"
"""What etcd keeps: its votes, and the register."""
JOINING = "/run/bastide-etcd-joining"
"""There while a member that begins anew joins those that there are, which know of it (`bastide db readmit`), or goes on
alone (`bastide db force-quorum`): variables of the unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A voter, as etcd knows it."""

    host: str
    address: str
    name: str
    """Name in its certificate; etcd reaches it by that name, which a private hosts file resolves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EtcdView:
    """Values of the unit."""

    host: str
    user: str
    folder: str
    data: str
    joining: str
    token: str
    own_name: str
    address: str
    client_port: int
    peer_port: int
    metrics: str
    founders: str
    """Those that found the register, as etcd wants it."""
    members: tuple[Member, ...]
    allowed: str
    """Name that every certificate of a voter carries."""
    sandbox: tuple[str, ...]


def derive_view(context: HostContext, sandbox: tuple[str, ...]) -> EtcdView:
    """The member of one host."""
    topology, domain = context.topology, context.topology.internal_domain
    private = context.host.private
    return EtcdView(
        host=context.host.name,
        user=USER,
        folder=FOLDER,
        data=DATA,
        joining=JOINING,
        token=topology.name,
        own_name=Identity(role=VOTER, host=context.host.name).dns_name(domain),
        address=f"[{private}]" if private.version == 6 else str(private),
        client_port=ETCD_CLIENT,
        peer_port=ETCD_PEER,
        metrics=METRICS,
        founders=",".join(f"{member.host}={peer_url(member)}" for member in derive_members(topology)),
        members=derive_members(topology),
        allowed=Identity(role=VOTER, host="").tier_dns_name(domain),
        sandbox=sandbox,
    )


def derive_members(topology: Topology) -> tuple[Member, ...]:
    """Every voter, in spec order."""
    return tuple(
        Member(
            host=host.name,
            address=str(host.private),
            name=Identity(role=VOTER, host=host.name).dns_name(topology.internal_domain),
        )
        for host in topology.tier("voter")
    )


def peer_url(member: Member) -> str:
    """Where the others reach it, by which etcd knows it."""
    return f"https://{member.name}:{ETCD_PEER}"
