"""What everybody trusts: the authority, the site's certificate, the virtual address, secrets, and the data itself.

In: subject. Out: `Explanation`s. Holds: names and sources of secrets, never a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bastide.explain.model import Explanation, Subject
from bastide.explain.words import counted, host_names
from bastide.policy.cutsets import predict
from bastide.policy.identities import derive_identities
from bastide.policy.secrets import (
    APP_PREFIX,
    DATABASE_PASSWORD,
    DATABASE_REPLICATION,
    HUB_PUSH_TOKEN,
    MONITOR_EMAIL,
    MONITOR_SLACK,
    derive_secrets,
)
from bastide.spec.parts import CertificateFiles, Role, Secret
from bastide.spec.values import format_duration
from bastide.topology.model import Host

_Use = tuple[str, tuple[Role, ...], str]
_SECRETS: Mapping[str, _Use] = {
    DATABASE_PASSWORD: (
        "the application's user of the database", ("app", "database"),
        "reads and changes all data, from a host that may reach the database",
    ),
    DATABASE_REPLICATION: ("replicas, to follow the primary", ("database",), "reads all data, from a database host"),
    HUB_PUSH_TOKEN: ("programs that push figures of their own to the hub", ("monitor",), "adds figures to the dashboard"),
    MONITOR_EMAIL: ("Alertmanager, to log in to the mail server", ("monitor",), "sends mail in its name"),
    MONITOR_SLACK: ("Alertmanager, to write to the channel", ("monitor",), "writes to the channel"),
}  # fmt: skip
"""By name: who uses it, on which hosts it is, what a thief can do. The project has more secrets in store; what no host
is handed is not told here."""


def explain_virtual_address(subject: Subject) -> Explanation | None:
    """The address that moves."""
    if subject.topology.virtual_ip is None:
        return None
    balancers = subject.topology.tier("balancer")
    interval = format_duration(subject.spec.balancer.advert_interval)
    where = f" It is {subject.topology.virtual_ip}." if subject.real else ""
    return Explanation(
        kind="address",
        name="vip",
        title="The virtual address",
        why="Visitors know one address, and machines die. So the address belongs to no machine: one balancer holds it, "
        f"and {host_names(balancers, 'or')} can.{where} The domains point to it.",
        talks=(f"Its holder says every {interval} that it lives, to the other balancers (VRRP).",),
        protection=(
            "Whoever could forge this could take the address: so the walls take it from the balancers' own "
            "addresses "
            "only, with the hop count of a direct neighbour.",
        ),
        dies=(
            "An address cannot die; its holder can. Another balancer takes it after three missed adverts and "
            "tells the "
            "network so. The address does not go back by itself when the first holder returns and all is well.",
        ),
        other_names=("virtual-ip", "virtual_ip"),
    )


def explain_authority(subject: Subject) -> Explanation:
    """The project's own certificate authority."""
    identities = derive_identities(subject.topology)
    inside = subject.spec.tls.inside
    used = (
        "They are what makes every hop mutual TLS."
        if inside == "mtls"
        else "With `tls.inside: plain` the hops of requests and of SQL do not use them; monitoring does."
    )
    return Explanation(
        kind="authority",
        name="ca",
        title="The certificate authority",
        why="A host must know who it talks to, and an address proves nothing. So the project has an authority of its own, "
        "which nobody outside trusts or needs to: it vouches for "
        f"{counted(len(identities), 'identity', 'identities')}, one "
        f"for each role of each host. {used}",
        talks=(
            "It is no server: it is a folder beside the spec (`.bastide/…/pki`), and `apply` carries "
            "certificates to hosts.",
        ),
        protection=(
            "The root lives ten years and signs one thing, an intermediate; its key may be moved to a drawer "
            "in the "
            "meantime. The intermediate lives five years and may vouch only for names of this project, so "
            "that even "
            "when it is stolen it cannot pretend to be your bank. Certificates of hosts live 90 days, and are "
            "renewed "
            "by `apply` after two thirds of it. A private key is readable by the one service that needs it.",
        ),
        dies=(
            "Nothing stops at once: hosts verify each other without it. Without the folder no certificate can "
            "be renewed, "
            "so within 30 to 90 days hosts would refuse each other. It belongs in a backup, encrypted.",
            "If its intermediate's key is stolen, the thief can pretend to be any host, from an address that "
            "the walls "
            "let in. A new intermediate and new certificates shut him out.",
        ),
        dies_title="If it is lost or stolen",
        other_names=("authority", "pki", "certificate-authority"),
    )


def explain_certificate(subject: Subject) -> Explanation:
    """What visitors see."""
    edge, domains = subject.spec.tls.edge, ", ".join(f"`{d}`" for d in subject.topology.domains)
    own = not isinstance(edge, CertificateFiles)
    balancers = subject.topology.tier("balancer")
    return Explanation(
        kind="certificate",
        name="certificate",
        title="The site's certificate",
        why=f"It proves to visitors that they talk to {domains}. "
        + (
            "It comes from the project's own authority, so only browsers that were given its root trust it: "
            "right for "
            "the lab and for sites of one's own house, and not for the public."
            if own
            else f"It is your own, from `{edge.certificate}`."  # type: ignore[union-attr]
        ),
        talks=(f"{host_names(balancers)} {'shows' if len(balancers) == 1 else 'show'} it to every visitor.",),
        protection=(
            f"Its key lies on the balancers, readable by HAProxy alone. HSTS of "
            f"{format_duration(subject.spec.tls.hsts)} forbids browsers to come without TLS."
            if subject.spec.tls.hsts
            else "Its key lies on the balancers, readable by HAProxy alone. No HSTS is sent.",
        ),
        dies=(
            "When it runs out, browsers refuse the site. "
            + ("`apply` renews it in time." if own else "Renewing it is yours; an alert tells weeks before."),
        ),
        dies_title="If it runs out",
        other_names=("edge-certificate",),
    )


def explain_secrets(subject: Subject) -> Iterator[Explanation]:
    """Every secret that some host is handed, by name and source."""
    spec = subject.spec
    for name, secret in derive_secrets(spec).items():
        variable = name.removeprefix(APP_PREFIX)
        used: _Use
        if name.startswith(APP_PREFIX):
            thief = "can do whatever the application does with it"
            used = (f"the application, as the variable `{variable}`", ("app",), thief)
        elif name in _SECRETS and (
            name != DATABASE_REPLICATION or (spec.database and spec.database.mode != "single")
        ):
            used = _SECRETS[name]
        else:
            continue
        yield _secret(subject, name, secret, used, (variable,) if variable != name else ())


def secret_holders(subject: Subject, roles: tuple[Role, ...]) -> tuple[Host, ...]:
    """Hosts of any of the roles, in spec order."""
    return tuple(host for host in subject.topology.hosts.values() if set(roles) & set(host.roles))


def _secret(subject: Subject, name: str, secret: Secret, used: _Use, other: tuple[str, ...]) -> Explanation:
    purpose, roles, thief = used
    return Explanation(
        kind="secret",
        name=name,
        title=f"The secret {name}",
        why=f"It is for {purpose}. {_source(secret)}",
        talks=(f"It is on {host_names(secret_holders(subject, roles))}.",),
        protection=(
            "It never stands in the spec, in a plan, in a log or on a command line. On a host it lies in a "
            "file that "
            "its service alone can read; on the controller in the project's state, readable by you alone.",
        ),
        dies=(f"Whoever has it {thief}. A new value takes effect with the next `apply`.",),
        dies_title="If it leaks",
        other_names=other,
    )


def _source(secret: Secret) -> str:
    if secret.file is not None:
        return f"Its value is read from the file `{secret.file}`."
    if secret.env is not None:
        return f"Its value is read from the controller's variable `{secret.env}`."
    return f"Its value was made once, at random ({secret.generate} characters), and is kept in the project's state."


def explain_data(subject: Subject) -> Explanation | None:
    """What cannot be made again from the spec."""
    hosts = subject.topology.tier("database")
    if subject.spec.database is None or not hosts:
        return None
    loss = predict(subject.topology, [host.name for host in hosts])
    copies = len(hosts)
    return Explanation(
        kind="data",
        name="data",
        title="The data",
        why="Every machine here can be made again from one file; what is in the database cannot. "
        + (
            f"There are {counted(copies, 'copy', 'copies')}, on {host_names(hosts)}."
            if copies > 1
            else f"There is one copy, on {host_names(hosts)}."
        ),
        protection=(
            "Nothing is ever initialised over data, and no data directory is removed without its name typed. "
            + (
                "A commit is acknowledged when it is on two disks."
                if copies > 1
                else "A commit is acknowledged when it is on this disk."
            )
            + (
                ""
                if subject.spec.database.durable
                else " With `durable: false` it may be in memory only, for about a second."
            ),
        ),
        dies=(
            "Replicas are no backup: a deletion is replicated within milliseconds. Against mistakes and "
            "malice only "
            "copies elsewhere help.",
        ),
        dies_title="If it is lost",
        loss=loss,
    )
