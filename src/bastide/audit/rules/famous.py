"""The three flaws of the infrastructure as it is usually first drawn, named before everything else.

In: a Subject. Out: hits. Holds: each flaw is one finding, told for the whole infrastructure.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import AddHosts, Edit, Hit, Rule, SetValue, Subject
from bastide.audit.rules.tiers import PATH_ROLES, add_witness, crosses_hosts, listed
from bastide.spec.failover import derive_voters
from bastide.spec.parts import Role


def _tls_ends_at_the_balancer(subject: Subject) -> Iterator[Hit]:
    flows = [f for f in subject.topology.flows if f.encryption == "plain" and crosses_hosts(subject, f)]
    requests = [f for f in flows if f.name in ("balancer-web", "web-app")]
    if requests:
        hops = listed(f"{f.source} to {f.target}" for f in requests)
        yield Hit(
            element="tls.inside",
            message=f"TLS ends at the balancer: requests go on in clear text from {hops}",
            at=("tls", "inside"),
            edits=(SetValue(path=("tls", "inside"), yaml="mtls"),),
        )


def _one_writer(subject: Subject) -> Iterator[Hit]:
    databases = subject.hosts("database")
    if subject.spec.database is None or not databases or subject.takeover:
        return
    rest = "there is no other" if len(databases) == 1 else "no other takes over by itself when it is lost"
    yield Hit(
        element=databases[0],
        message=f"One server takes all writes, and {rest}",
        at=("database", "failover"),
        edits=_takeover(subject),
    )


def _takeover(subject: Subject) -> tuple[Edit, ...]:
    """What lets the other of two databases take over: three votes, and commits that are on disk."""
    database = subject.spec.database
    if database is None or len(subject.hosts("database")) != 2:
        return ()
    witness = add_witness(subject) if len(derive_voters(subject.spec)) == 2 else ()
    durable = () if database.durable else (SetValue(path=("database", "durable"), yaml="true"),)
    return (*witness, *durable, SetValue(path=("database", "failover"), yaml="automatic"))


def _all_alike(subject: Subject) -> Iterator[Hit]:
    roles = {
        name: tuple(role for role in host.roles if role in PATH_ROLES) for name, host in subject.spec.hosts.items()
    }
    serving = {name: own for name, own in roles.items() if set(own) - {"balancer"}}
    kinds = {frozenset(own) for own in serving.values()}
    if len(serving) < 2 or len(kinds) != 1 or len(next(iter(kinds))) < 2:
        return
    shared = next(iter(serving.values()))
    # The data stay where they are: a database that moved to a new host would begin empty there.
    keep: Role = "database" if "database" in shared else shared[0]
    edits: list[Edit] = []
    for name in serving:
        other = [role for role in subject.spec.hosts[name].roles if role not in PATH_ROLES]
        edits.append(SetValue(path=("hosts", name, "roles"), yaml=f"[{', '.join([keep, *other])}]"))
    edits += [AddHosts(role=role, count=len(serving)) for role in shared if role != keep]
    yield Hit(
        element=", ".join(serving),
        message=f"All servers are alike: each is {listed(shared)}, so one flaw, or one overload, takes every tier",
        at=("hosts", next(iter(serving))),
        edits=tuple(edits),
    )


FAMOUS_RULES = (
    Rule(
        id="TLS001",
        title="TLS ends at the balancer",
        severity="high",
        why=(
            "Behind the balancer every request travels in clear text: passwords, session cookies and what users "
            "type. Whoever gets onto one host, a switch, or the provider's network reads and changes all of it, and "
            "any machine that takes a web server's address is believed to be one."
        ),
        fix="Write `tls: {inside: mtls}`: every hop is encrypted, and each side proves who it is.",
        check=_tls_ends_at_the_balancer,
    ),
    Rule(
        id="AVA001",
        title="One server takes all writes",
        severity="high",
        why=(
            "Every write goes to one database server. When it is lost nothing is written until a person has repaired "
            "or replaced it, at whatever hour that is; reads end with it, a few seconds later."
        ),
        fix="Give the database a second host and automatic takeover, decided by three voters (role `witness`).",
        check=_one_writer,
    ),
    Rule(
        id="UNI001",
        title="All servers are alike",
        severity="high",
        why=(
            "Every server runs every tier. A flaw in any of them opens all of them: code that was broken into reads "
            "the database's files beside it, a leak in the application starves the database, and no tier can be "
            "made larger, restarted or walled off alone."
        ),
        fix="Split the roles over hosts of their own, so that walls stand between the tiers.",
        check=_all_alike,
    ),
)
