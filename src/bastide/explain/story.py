"""The whole infrastructure as a story: what it is, the way of a request, the walls, each part, and what remains.

In: subject. Out: `Story`. Holds: every host, role, service, flow, zone, secret, the virtual address and the authority
are in it or are found by `find.py`; hosts that are alike are told once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bastide.explain.flows import explain_flow
from bastide.explain.hosts import fate_in_words
from bastide.explain.model import Chapter, Explanation, Story, Subject, Table
from bastide.explain.peers import stays
from bastide.explain.protection import short_protection
from bastide.explain.remains import explain_remains
from bastide.explain.services import product_why
from bastide.explain.tiers import explain_tier, roles_in_words, takes_over
from bastide.explain.trust import (
    explain_authority,
    explain_certificate,
    explain_data,
    explain_secrets,
    explain_virtual_address,
)
from bastide.explain.way import derive_way
from bastide.explain.words import PRODUCTS, counted, host_names, listed, number, place, port_of, tier_name, title
from bastide.explain.zones import explain_zones
from bastide.policy.cutsets import cut_sets, predict
from bastide.spec.parts import ROLES
from bastide.topology.model import Host


def tell_story(subject: Subject) -> Story:
    """All of it."""
    topology = subject.topology
    tiers = tuple(explain_tier(subject, role) for role in ROLES if topology.tier(role))
    return Story(
        title=f"{topology.name}: how it is built, and why",
        chapters=(
            Chapter(title="In short", paragraphs=tuple(_in_short(subject))),
            Chapter(title="The way of a request", steps=derive_way(subject)),
            Chapter(title="The parts", elements=tiers),
            Chapter(
                title="The hosts",
                paragraphs=("`bastide explain HOST` tells of one host, with every gate in its wall.",),
                table=_hosts(subject),
            ),
            Chapter(
                title="The walls",
                paragraphs=(
                    "Every host has a wall of its own. It lets in what is in this list and nothing else, and "
                    "lets out "
                    "what is in this list and nothing else. Nobody wrote these rules: they follow from the "
                    "roles.",
                ),
                table=_walls(subject),
            ),
            Chapter(title="The zones", elements=tuple(explain_zones(subject))),
            Chapter(title="What everybody relies on", elements=tuple(_trust(subject))),
            Chapter(
                title="The programs",
                points=tuple(_programs(subject)),
            ),
            Chapter(title="The secrets", table=_secrets(subject)),
            explain_remains(subject),
        ),
    )


def _in_short(subject: Subject) -> Iterator[str]:
    topology, spec = subject.topology, subject.spec
    hosts = topology.hosts.values()
    roles = [counted(len(topology.tier(r)), tier_name(r, 1), tier_name(r, 2)) for r in ROLES if topology.tier(r)]
    shared = [host for host in hosts if len(host.roles) > 1]
    split = " Each host does one thing."
    if len(topology.hosts) == 1:
        split = " Everything is on this one."
    elif len(shared) == 1:
        split = f" `{shared[0].name}` is {roles_in_words(shared[0].roles)} in one."
    elif shared:
        split = f" {host_names(shared)} have several roles each."
    yield (
        f"**{topology.name}** serves {listed([f'`{d}`' for d in topology.domains])} from "
        f"{counted(len(topology.hosts), 'host')}: {listed(roles)}.{split}"
    )
    inner = (
        "Between the hosts everything is mutual TLS: both ends prove who they are, and a host is let in only "
        "where "
        "its role has business."
        if spec.tls.inside == "mtls"
        else "**TLS ends at the balancer.** Behind it, requests and SQL travel in plain text from host to host; only "
        "monitoring is encrypted."
    )
    if len(topology.hosts) > 1:
        yield f"Around every host stands a wall that knows exactly whom to let through. {inner}"
    alike = _alike_of_many_roles(subject)
    if alike:
        yield (
            f"{title(host_names(alike))} are alike, each with "
            f"{listed([tier_name(r, 1) for r in alike[0].roles])} on one "
            "machine. That is simple and cheap. It also means that whoever gets into one of these programs "
            "stands beside "
            "the data, and that one flaw is a flaw of all of them."
        )
    single = [cut.elements[0] for cut in cut_sets(topology, 1) if cut.kind == "hosts"]
    yield _losses(subject, single)


def _alike_of_many_roles(subject: Subject) -> list[Host]:
    """Hosts of the same several tiers, the database among them."""
    hosts = [h for h in subject.topology.hosts.values() if "database" in h.roles and len(h.roles) > 2]
    return [h for h in hosts if h.roles == hosts[0].roles] if len(hosts) > 1 else []


def _losses(subject: Subject, single: Sequence[str]) -> str:
    topology = subject.topology
    if len(topology.hosts) == 1:
        return "It is as strong as this one host: when the host is down, so is the site."
    if not single:
        return "Any one host may die, and the site goes on."
    hosts = [topology.hosts[name] for name in single]
    rest = len(topology.hosts) - len(single)
    verb = "is a single point of failure" if len(single) == 1 else "are single points of failure"
    while_down = "it is" if len(single) == 1 else "one of them is"
    goes_on = " Any other host may die, and the site goes on." if rest else ""
    writer = ""
    if len(topology.tier("database")) > 1 and not takes_over(subject):
        first = topology.tier("database")[0].name
        writer = (
            f" All writes go to one database host (`{first}`, unless another was promoted); nothing takes over."
        )
    return f"**{title(host_names(hosts))} {verb}:** while {while_down} down, the site is down.{writer}{goes_on}"


def _hosts(subject: Subject) -> Table:
    rows = []
    for hosts in _alike(subject):
        loss = predict(subject.topology, (hosts[0].name,))
        roles = listed([tier_name(role, 1) for role in hosts[0].roles])
        rows.append((host_names(hosts), roles, _fate(subject, hosts) if loss.reads else "the site goes on"))
    return Table(head=("host", "is", "if one of them dies"), rows=tuple(rows))


def _fate(subject: Subject, hosts: Sequence[Host]) -> str:
    return fate_in_words(predict(subject.topology, (hosts[0].name,))).rstrip(".")


def _alike(subject: Subject) -> list[list[Host]]:
    """Hosts of the same roles whose loss means the same, in spec order."""
    groups: dict[object, list[Host]] = {}
    for host in subject.topology.hosts.values():
        groups.setdefault((host.roles, predict(subject.topology, (host.name,)).reads), []).append(host)
    return list(groups.values())


def _walls(subject: Subject) -> Table:
    topology = subject.topology
    return Table(
        head=("flow", "from", "to", "port", "protected by", "why"),
        rows=tuple(
            (
                f"`{flow.name}`",
                place(topology, flow.source, flow),
                place(topology, flow.target, flow),
                f"`{port_of(flow)}`",
                short_protection(flow),
                flow.why,
            )
            for flow in topology.flows
            if not stays(subject, flow)
        ),
    )


def _trust(subject: Subject) -> Iterator[Explanation]:
    for found in (
        explain_virtual_address(subject),
        explain_certificate(subject),
        explain_authority(subject),
        explain_data(subject),
    ):
        if found is not None:
            yield found


def _programs(subject: Subject) -> Iterator[str]:
    by_product: dict[str, list[Host]] = {}
    for service in subject.topology.services:
        if service.product != "system":
            by_product.setdefault(service.product, []).append(subject.topology.hosts[service.host])
    for product, hosts in by_product.items():
        where = "every host" if len(hosts) == len(subject.topology.hosts) > 1 else host_names(hosts)
        called = title(PRODUCTS[product])
        known = "" if called == product else f"`{product}`, "
        yield f"**{called}** ({known}on {where}). {product_why(product)}"


def _secrets(subject: Subject) -> Table:
    rows = [
        (
            f"`{secret.name}`",
            secret.why.split(". ")[0].removeprefix("It is for "),
            secret.talks[0].removeprefix("It is on ").rstrip("."),
        )
        for secret in explain_secrets(subject)
    ]
    return Table(head=("secret", "for", "on"), rows=tuple(rows))


def all_flows(subject: Subject) -> tuple[Explanation, ...]:
    """One for each flow."""
    return tuple(explain_flow(subject, flow) for flow in subject.topology.flows)


def summary(subject: Subject) -> str:
    """One line: `nine hosts, 20 flows`."""
    return f"{number(len(subject.topology.hosts))} hosts, {len(subject.topology.flows)} flows"
