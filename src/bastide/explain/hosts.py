"""One host: why it is there, its gates, its services, and what its death means.

In: subject and a host. Out: `Explanation`.
"""

from __future__ import annotations

from bastide.explain.model import Explanation, Subject
from bastide.explain.peers import flows_into, incoming, outgoing
from bastide.explain.tiers import lost_member, roles_in_words
from bastide.explain.words import PRODUCTS, counted, host_names, listed, port_of, title
from bastide.policy.cutsets import Loss, predict
from bastide.spec.parts import Role
from bastide.topology.model import Host

_EVERYWHERE = ("nftables", "sshd", "system", "node_exporter", "vmagent", "agent", "mysqld_exporter")


def explain_host(subject: Subject, host: Host) -> Explanation:
    """One host."""
    topology = subject.topology
    loss = predict(topology, (host.name,))
    own = [s.product for s in topology.services_of(host.name) if s.product not in _EVERYWHERE]
    alike = [h for h in topology.hosts.values() if h.roles == host.roles and h.name != host.name]
    others = (
        f" {host_names(alike)} {'is' if len(alike) == 1 else 'are'} the same."
        if alike
        else " There is no other like it."
    )
    return Explanation(
        kind="host",
        name=host.name,
        title=f"{host.name}: {roles_in_words(host.roles)}",
        why=f"It is {roles_in_words(host.roles)}{_address(subject, host)}. "
        + (f"It runs {listed([PRODUCTS[p] for p in own])}." if own else "It runs no service of its own.")
        + others
        + _shared_fate(host),
        talks=(
            *incoming(subject, host.roles, host=host.name),
            *outgoing(subject, host.roles, host=host.name),
        ),
        protection=(_wall(subject, host),),
        dies=(fate_in_words(loss), *(_of_role(subject, host, role) for role in host.roles)),
        loss=loss,
    )


def fate_in_words(loss: Loss) -> str:
    """Whether the site goes on."""
    if loss.reads:
        return f"**The site is down** until it is back: {loss.why}."
    if loss.writes:
        return f"**Nothing can be written** until it is back: {loss.why}."
    return "**The site goes on.**"


def _of_role(subject: Subject, host: Host, role: Role) -> str:
    said = lost_member(subject, role, host.name).strip()
    if len(host.roles) == 1:
        return said
    # "While it is the primary: …" goes on after a comma, a whole sentence after a colon.
    joint = ", " if said.startswith("While ") else ": "
    return f"As {roles_in_words((role,))}{joint}{said[:1].lower()}{said[1:]}"


def _address(subject: Subject, host: Host) -> str:
    if not subject.real:
        return ""
    public = f", and at {host.public} on the internet side" if host.public and host.public != host.private else ""
    return f" at {host.private}{public}"


def _shared_fate(host: Host) -> str:
    if len(host.roles) < 2:
        return ""
    return " Its roles share one machine: they die together, and whoever breaks into one has the others."


def _wall(subject: Subject, host: Host) -> str:
    ports = list(dict.fromkeys(f"`{port_of(flow)}`" for flow in flows_into(subject, host.roles, host=host.name)))
    return (
        f"{title(counted(len(ports), 'gate'))} in its wall ({listed(ports)}), each for the peers above and "
        "nobody else; "
        "everything else is dropped and counted, coming and going. Each service runs in a sandbox of systemd "
        "with no "
        "more rights than it needs, and its keys are readable by it alone."
    )
