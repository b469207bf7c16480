"""How a conversation is protected, in words.

In: topology and a flow. Out: sentences. Holds: said of the flow as it is; where it is readable, that is said first.
"""

from __future__ import annotations

from bastide.explain.words import host_names, place
from bastide.policy.identities import derive_accepted_peers
from bastide.topology.model import Flow, Topology

SHORT = {"mtls": "mutual TLS", "tls": "TLS", "ssh": "SSH", "plain": "**plain text**"}


def short_protection(flow: Flow) -> str:
    """In a table."""
    if flow.protocol == "vrrp":
        return "by the wall alone"
    if flow.target == "internet":
        return "as its protocol does"
    if flow.name == "internet-http":
        return "plain, redirected"
    return SHORT[flow.encryption]


def explain_protection(topology: Topology, flow: Flow) -> tuple[str, ...]:
    """Encryption, who is let in, and the wall."""
    return (*_encryption(topology, flow), _wall(topology, flow))


def _encryption(topology: Topology, flow: Flow) -> tuple[str, ...]:
    if flow.protocol == "vrrp":
        return (
            "It is not encrypted, and carries nothing that anybody should not know. A forged word could move the "
            "virtual address, so it is taken only from the other balancers' addresses and only with a hop "
            "count that "
            "no router lets pass.",
        )
    if flow.target == "internet":
        return (
            "What is spoken there is the program's own affair (HTTPS, signed packages); Bastide adds no "
            "encryption, "
            "and opens only this port.",
        )
    if flow.name == "internet-http":
        return (
            "It is plain HTTP and carries no content: every answer is a redirect to `https://`, and HSTS "
            "makes the "
            "browser remember that.",
        )
    if flow.encryption == "mtls":
        peers = tuple(dict.fromkeys(peer.host for peer in derive_accepted_peers(topology, flow)))
        hosts = [topology.hosts[name] for name in peers]
        who = "every host of ours" if len(hosts) == len(topology.hosts) > 1 else host_names(hosts)
        return (
            "Mutual TLS 1.3: both ends show a certificate of the project's own authority, and the listener "
            "accepts "
            f"exactly {who}. A certificate of any other host or role is refused, although the same authority "
            "signed "
            "it. Who listens on the network learns that they talk, and how much.",
        )
    if flow.encryption == "tls":
        if flow.source == "admin":
            return (
                "TLS, with a certificate of the project's own authority; behind it stands a login by a link that "
                "`bastide dashboard` prints and that works once.",
            )
        return (
            "TLS 1.2 or 1.3 by Mozilla's intermediate profile. Visitors have no certificate; the site has one.",
        )
    if flow.encryption == "ssh":
        return (
            "SSH with keys only: no passwords, modern algorithms, and host keys that the controller has recorded.",
        )
    return (
        "**It is plain text.** Whoever can listen on the network between these hosts reads it, with every "
        "cookie, "
        "password and row in it, and whoever can answer in time may change it. `tls: {inside: mtls}` encrypts "
        "it.",
    )


def _wall(topology: Topology, flow: Flow) -> str:
    source, target = place(topology, flow.source, flow), place(topology, flow.target, flow)
    if flow.target == "internet":
        return f"The walls of {source} let it out to {target}; nothing comes in by it but answers."
    if flow.source == "internet":
        return (
            f"The walls of {target} let it in from anywhere, and count: a source address that opens too many "
            "connections is held back before HAProxy sees it."
        )
    if flow.source == "admin":
        return f"The walls let it in from {source}."
    return f"The walls let it out of {source}, and into {target} from these addresses only."
