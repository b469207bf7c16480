"""Rules of the walls: who may come in, and what may go out.

In: a Subject. Out: hits. Holds: what is judged are the flows and addresses that will be, not habits of writing.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.spec.values import IPNetwork

_CLEAR_TEXT = {20: "FTP", 21: "FTP", 23: "Telnet", 69: "TFTP", 110: "POP3", 143: "IMAP", 389: "LDAP", 514: "syslog"}
_WIDEST = {4: 16, 6: 32}


def _admin_from_anywhere(subject: Subject) -> Iterator[Hit]:
    if not subject.spec.firewall.admin:
        message = "SSH of every host answers the whole internet: `firewall.admin` names no network"
        yield Hit(element="firewall.admin", message=message, at=("firewall",))


def _admin_too_wide(subject: Subject) -> Iterator[Hit]:
    for index, network in enumerate(subject.spec.firewall.admin):
        if not network.is_private and network.prefixlen < _WIDEST[network.version]:
            yield Hit(
                element=f"firewall.admin.{index}",
                message=f"{network} lets {network.num_addresses:,} addresses of the internet reach SSH",
                at=("firewall", "admin", index),
            )


def _dashboard_from_anywhere(subject: Subject) -> Iterator[Hit]:
    for host in subject.topology.tier("monitor"):
        if not subject.spec.firewall.admin:
            message = f"The dashboard on {host.name} answers every network that reaches it"
            yield Hit(element=host.name, message=message, at=("hosts", host.name))


def _egress_open(subject: Subject) -> Iterator[Hit]:
    defaults = type(subject.spec.firewall)().egress
    for index, rule in enumerate(subject.spec.firewall.egress):
        if rule.to == "anywhere" and not rule.roles and rule not in defaults:
            yield Hit(
                element=f"firewall.egress.{index}",
                message=f"Every host may open {rule.protocol} {rule.port} to anywhere ({rule.why})",
                at=("firewall", "egress", index),
            )


def _databases_reach_out(subject: Subject) -> Iterator[Hit]:
    for host in subject.topology.tier("database"):
        ports = sorted(
            {
                rule.port
                for rule in subject.spec.firewall.egress
                if rule.to == "anywhere"
                and rule.port in (80, 443)
                and (not rule.roles or set(rule.roles) & set(host.roles))
            }
        )
        if ports:
            ways = " and ".join(str(port) for port in ports)
            message = f"{host.name} holds the data, and may send them anywhere by port {ways}"
            yield Hit(element=host.name, message=message, at=("firewall", "egress"))


def _egress_clear_text(subject: Subject) -> Iterator[Hit]:
    for index, rule in enumerate(subject.spec.firewall.egress):
        if rule.port in _CLEAR_TEXT:
            yield Hit(
                element=f"firewall.egress.{index}",
                message=f"Port {rule.port} is {_CLEAR_TEXT[rule.port]}, which carries passwords or logs in clear text",
                at=("firewall", "egress", index),
            )


def _unused_flow(subject: Subject) -> Iterator[Hit]:
    present = {role for host in subject.spec.hosts.values() for role in host.roles}
    for index, rule in enumerate(subject.spec.firewall.egress):
        unused = [role for role in rule.roles if role not in present]
        if unused:
            message = f"The way out for {', '.join(unused)} is used by nobody: no host has that role"
            yield Hit(element=f"firewall.egress.{index}", message=message, at=("firewall", "egress", index))


def _shadowed_flow(subject: Subject) -> Iterator[Hit]:
    egress = subject.spec.firewall.egress
    for index, rule in enumerate(egress):
        for wider_index, wider in enumerate(egress):
            same = (rule.port, rule.protocol) == (wider.port, wider.protocol)
            roles = not wider.roles or (bool(rule.roles) and set(rule.roles) <= set(wider.roles))
            tie = (rule.to, set(rule.roles)) == (wider.to, set(wider.roles)) and index < wider_index
            if index != wider_index and same and roles and _covers(wider.to, rule.to) and not tie:
                message = f"The way out is no limit: rule {wider_index} opens the same and more ({wider.why})"
                yield Hit(element=f"firewall.egress.{index}", message=message, at=("firewall", "egress", index))
                break


def _covers(wider: IPNetwork | str, narrower: IPNetwork | str) -> bool:
    if isinstance(wider, str):
        return True
    if isinstance(narrower, str) or wider.version != narrower.version:
        return False
    return wider.supernet_of(narrower)  # type: ignore[arg-type]


def _database_is_public(subject: Subject) -> Iterator[Hit]:
    for host in subject.topology.tier("database"):
        if host.public is not None and "balancer" not in host.roles:
            message = f"{host.name} runs the database and has an address on the internet, {host.public}"
            yield Hit(element=host.name, message=message, at=("hosts", host.name, "public"))


def _public_without_need(subject: Subject) -> Iterator[Hit]:
    for host in subject.topology.hosts.values():
        if host.public is not None and not {"balancer", "monitor", "database"} & set(host.roles):
            message = f"{host.name} has an address on the internet, {host.public}, and serves nobody there"
            yield Hit(element=host.name, message=message, at=("hosts", host.name, "public"))


def _inside_is_outside(subject: Subject) -> Iterator[Hit]:
    for host in subject.topology.hosts.values():
        if len(subject.topology.hosts) > 1 and host.private.is_global:
            severity = "critical" if subject.spec.tls.inside == "plain" else None
            clear = ", in clear text" if severity else ""
            yield Hit(
                element=host.name,
                message=f"{host.name} is reached by the other hosts over the internet, at {host.private}{clear}",
                at=("hosts", host.name),
                severity="critical" if severity else None,
            )


def _drops_are_not_logged(subject: Subject) -> Iterator[Hit]:
    if subject.spec.firewall.log_per_minute == 0:
        at = ("firewall", "log_per_minute")
        message = "Dropped packets are counted but none is logged, so nobody learns who knocks"
        yield Hit(element="firewall.log_per_minute", message=message, at=at, edits=(SetValue(path=at, yaml="60"),))


NETWORK_RULES = (
    Rule(
        id="NET001",
        title="SSH is open to the whole internet",
        severity="high",
        why=(
            "Everybody may try keys and flaws of sshd, on every host, at every hour. A key that was stolen works from "
            "anywhere, and the day on which sshd itself has a hole there is nothing in front of it."
        ),
        fix="Name the networks that you administer from: `firewall: {admin: [203.0.113.0/24]}`.",
        check=_admin_from_anywhere,
    ),
    Rule(
        id="NET002",
        title="The administrators' network is very large",
        severity="high",
        why="A network of that size belongs to a provider or a country: it is as good as open to everybody in there.",
        fix="Name the office's or the VPN's own addresses in `firewall.admin`.",
        check=_admin_too_wide,
    ),
    Rule(
        id="NET003",
        title="The dashboard answers everybody",
        severity="medium",
        why=(
            "The dashboard shows every host, log and alert. Its login stands alone between them and the internet "
            "when no network is named in front of it."
        ),
        fix="Name the administrators' networks in `firewall.admin`: the dashboard is open to them alone.",
        check=_dashboard_from_anywhere,
    ),
    Rule(
        id="NET004",
        title="A way out that is open for all hosts to anywhere",
        severity="medium",
        why=(
            "What gets into a host needs a way out: to fetch its tools, to be told what to do, to carry data away. A "
            "rule for all hosts to anywhere is that way."
        ),
        fix="Give the rule a destination (`to:`) or the roles that need it (`roles:`).",
        check=_egress_open,
    ),
    Rule(
        id="NET005",
        title="Database hosts may reach any web server",
        severity="low",
        why=(
            "Ports 80 and 443 to anywhere are for updates, and carry a copy of the database just as well. Hosts that "
            "hold data need to reach a package mirror and nothing else."
        ),
        fix="List `firewall.egress` with the mirror's network in `to:` for ports 80 and 443.",
        check=_databases_reach_out,
        servers_only=True,
    ),
    Rule(
        id="NET006",
        title="A way out for a protocol in clear text",
        severity="medium",
        why="Whoever is on the way reads it, passwords included, and answers in the other side's name.",
        fix="Use the protocol's TLS form and its port, and remove this rule.",
        check=_egress_clear_text,
    ),
    Rule(
        id="NET007",
        title="A way out that nobody uses",
        severity="low",
        why=(
            "A rule for a role that no host has is a leftover. It opens by itself on the day when somebody gives a "
            "host that role, and nobody remembers why."
        ),
        fix="Remove the rule, or the role from it.",
        check=_unused_flow,
    ),
    Rule(
        id="NET008",
        title="A narrow way out beside a wide one",
        severity="low",
        why="The narrow rule looks like a limit and is none: another one lets the same and more pass.",
        fix="Remove the wide rule, or the narrow one.",
        check=_shadowed_flow,
    ),
    Rule(
        id="NET009",
        title="A database host has an address on the internet",
        severity="high",
        why=(
            "The walls keep its ports closed, but one wrong line in one file is then all that stands between the data "
            "and everybody. A host without a public address cannot be reached by mistake."
        ),
        fix="Remove `public` from the host: only balancers need one.",
        check=_database_is_public,
    ),
    Rule(
        id="NET010",
        title="A host has an address on the internet that serves nobody",
        severity="low",
        why="An address that nobody needs is one more to be scanned, and one more to be opened by mistake.",
        fix="Remove `public` from the host.",
        check=_public_without_need,
    ),
    Rule(
        id="NET011",
        title="Hosts speak to each other over the internet",
        severity="medium",
        why=(
            "Without a private network every inner conversation crosses networks of strangers, who see who speaks to "
            "whom and when, and can delay or cut it. Without encryption they read and change it."
        ),
        fix="Give hosts a private `address` (a provider's private network, or WireGuard) beside the public one.",
        check=_inside_is_outside,
    ),
    Rule(
        id="NET012",
        title="Dropped packets are not logged",
        severity="low",
        why="A scan, or a host of ours that tries what it should not, is the first sign of a break-in.",
        fix="Remove `log_per_minute: 0`; the default logs sixty a minute and counts all.",
        check=_drops_are_not_logged,
    ),
)
