"""Checks of the database: that the section and the hosts speak of the same thing."""

from __future__ import annotations

from collections.abc import Iterator

from bastide.spec.checks.rule import Rule, hosts_with, listed
from bastide.spec.errors import Fault, Keys
from bastide.spec.failover import VOTES, derive_voters
from bastide.spec.model import Spec

_SECTION: Keys = ("database",)
_MODE: Keys = ("database", "mode")
_MARIADB_OWN = ("information_schema", "mysql", "performance_schema", "sys", "root", "mariadb")
_SMALLEST_POOL = 8 << 20


def _section_and_hosts(spec: Spec) -> Iterator[Fault]:
    hosts = hosts_with(spec, "database")
    if hosts and spec.database is None:
        index = spec.hosts[hosts[0]].roles.index("database")
        yield Fault(
            path=("hosts", hosts[0], "roles", index),
            code="BST033",
            message=f"{listed(hosts)} {'has' if len(hosts) == 1 else 'have'} the role 'database', "
            "but the spec has no section 'database'",
            hint="add `database: {}` for one with all defaults, or remove the role",
        )
    if spec.database is not None and not hosts:
        hint = "give two hosts `database` (or one, with `mode: single`), or remove the section"
        message = "the spec has a section 'database', but no host has that role"
        yield Fault(path=("database",), code="BST034", message=message, hint=hint, at="key")


def _mode(spec: Spec) -> Iterator[Fault]:
    hosts = hosts_with(spec, "database")
    if spec.database is None or not hosts:
        return
    if spec.database.mode == "replication" and len(hosts) == 1:
        yield Fault(
            path=("database", "mode"),
            code="BST035",
            message=f"the mode 'replication' needs two database hosts, and '{hosts[0]}' is the only one",
            hint="give a second host the role `database`, or write `mode: single`",
            related=("hosts", hosts[0]),
            related_label="the only database host",
        )
    if spec.database.mode == "single" and len(hosts) > 1:
        yield Fault(
            path=("database", "mode"),
            code="BST036",
            message=f"the mode 'single' has one database host, and the spec gives {len(hosts)}: {listed(hosts)}",
            hint="write `mode: replication`, or keep the role on one host",
            related=("hosts", hosts[1]),
            related_label="a second database host",
        )


def _names(spec: Spec) -> Iterator[Fault]:
    if spec.database is None:
        return
    for field, name in (("name", spec.database.name), ("user", spec.database.user)):
        if name in _MARIADB_OWN:
            message = f"'{name}' is MariaDB's own, and cannot be the database's {field}"
            yield Fault(path=("database", field), code="BST045", message=message, hint="choose another name")


def _pool(spec: Spec) -> Iterator[Fault]:
    if spec.database is not None and spec.database.buffer_pool < _SMALLEST_POOL:
        message = "'buffer_pool' must be at least 8M: MariaDB does not start with less"
        yield Fault(path=("database", "buffer_pool"), code="BST058", message=message)


def _failover(spec: Spec) -> Iterator[Fault]:
    database = spec.database
    if database is None or database.failover == "manual":
        return
    path: Keys = ("database", "failover")
    hosts, votes = hosts_with(spec, "database"), len(derive_voters(spec))
    if database.mode == "single" or len(hosts) != 2:
        message = f"automatic failover needs `mode: replication` on two database hosts, not {len(hosts)}"
        yield Fault(path=path, code="BST046", message=message, hint="write `failover: manual`")
    elif votes not in VOTES:
        message = (
            f"automatic failover needs three or five votes, and the spec has {votes}: {listed(derive_voters(spec))}"
        )
        hint = "give one more host (a monitor, for example) the role `witness`, or write `failover: manual`"
        yield Fault(path=path, code="BST046", message=message, hint=hint)
    if not database.durable:
        message = "automatic failover needs `durable: true`: a crash could lose acknowledged writes"
        yield Fault(path=path, code="BST047", message=message, hint="write `failover: manual`")


def _without_quorum(spec: Spec) -> Iterator[Fault]:
    database = spec.database
    if database is None or database.without_quorum == "stop":
        return
    path: Keys = ("database", "without_quorum")
    if database.failover == "manual":
        message = "`without_quorum: go_on` says nothing here: without automatic failover there are no votes"
        yield Fault(path=path, code="BST048", message=message, hint="write `failover: automatic`, or leave it out")
    elif spec.tls.inside != "mtls":
        message = (
            "`without_quorum: go_on` relies on a promise of the standby's, which without mTLS anybody could forge"
        )
        yield Fault(path=path, code="BST048", message=message, hint="write `tls: {inside: mtls}`, or leave it out")


DATABASE_RULES = (
    Rule(_without_quorum, reads=(_SECTION, ("tls",))),
    Rule(_failover, reads=(("hosts",), _SECTION)),
    Rule(_section_and_hosts, reads=(("hosts",), _SECTION)),
    Rule(_mode, reads=(("hosts",), _MODE)),
    Rule(_names),
    Rule(_pool),
)
