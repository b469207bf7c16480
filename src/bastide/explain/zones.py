"""Where peers stand, and what each zone may do.

In: subject. Out: `Explanation`s of the zones outside and of the networks.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.explain.model import Explanation, Subject
from bastide.explain.protection import short_protection
from bastide.explain.words import host_names, place, port_of
from bastide.topology.model import Flow


def explain_zones(subject: Subject) -> Iterator[Explanation]:
    """Everybody outside, and the networks between."""
    yield _internet(subject)
    yield _administrators(subject)
    yield _network(subject)


def _internet(subject: Subject) -> Explanation:
    topology = subject.topology
    comes = [flow for flow in topology.flows if flow.source == "internet"]
    leaves = [flow for flow in topology.flows if flow.target == "internet"]
    return Explanation(
        kind="zone",
        name="internet",
        title="The internet",
        why="Visitors come from here, and so does everybody else. It is trusted with nothing.",
        talks=(
            *(f"**in** on `{port_of(flow)}` of {place(topology, flow.target)}: {flow.why}" for flow in comes),
            *(_leaves(subject, flow) for flow in leaves),
        ),
        protection=(
            f"No host but {host_names(topology.tier('balancer'))} has an open port here but those for "
            "administrators. What "
            "leaves is a list as short as what comes in: a program that was broken into cannot call home on a "
            "port that "
            "is not in it."
            if leaves
            else f"No host but {host_names(topology.tier('balancer'))} has an open port here, and nothing may leave.",
        ),
        dies=("Nobody is served, and nothing is broken: it is as if nobody came.",),
        dies_title="If it is cut off",
    )


def _leaves(subject: Subject, flow: Flow) -> str:
    who = place(subject.topology, flow.source)
    return f"**out** from {who} to `{port_of(flow)}` of {place(subject.topology, 'internet', flow)}: {flow.why}"


def _administrators(subject: Subject) -> Explanation:
    topology = subject.topology
    flows = [flow for flow in topology.flows if flow.source == "admin"]
    networks = subject.spec.firewall.admin
    told = (
        f"They come from {', '.join(str(n) for n in networks)}; from elsewhere, SSH and dashboard do not even "
        "answer."
        if networks and subject.real
        else "They come from the networks in `firewall.admin`; from elsewhere, SSH and dashboard do not even answer."
        if networks
        else "**`firewall.admin` is empty, so SSH and the dashboard answer from anywhere.** A key is still needed."
    )
    return Explanation(
        kind="zone",
        name="admin",
        title="Administrators",
        why="Somebody has to change things: by `bastide apply` over SSH, and by looking at the dashboard.",
        talks=tuple(
            f"**in** on `{port_of(flow)}` of {place(topology, flow.target)}, {short_protection(flow)}: {flow.why}"
            for flow in flows
        ),
        protection=(
            told,
            "A change that locks them out undoes itself: it is confirmed over a new connection, or it is put back.",
        ),
        dies=("The site goes on as it is. The consoles of the machines remain, with `bastide-host rollback`.",),
        dies_title="If they are cut off",
        other_names=("administrators",),
    )


def _network(subject: Subject) -> Explanation:
    inside = subject.spec.tls.inside
    return Explanation(
        kind="zone",
        name="network",
        title="The network between the hosts",
        why="Hosts reach each other by their private addresses. Being in this network gives nobody a right: it is a "
        "cable, and not a wall.",
        protection=(
            "Every host stands behind its own wall and believes certificates, not addresses: somebody who "
            "gets into the "
            "network, or into one host, can talk to nothing but what that host could talk to."
            if inside == "mtls"
            else "Every host stands behind its own wall. But **requests, SQL and replication are plain text here**: who "
            "gets into the network, or can divert its packets, reads and changes them.",
        ),
        dies=(
            "Hosts that cannot see each other take each other for dead. Balancers leave out what they cannot "
            "reach. "
            "A database does not promote itself merely because it cannot see another one, so there are never "
            "two primaries.",
        ),
        dies_title="If it is cut",
        other_names=("private", "private-network"),
    )
