"""Warnings: what can be used, and hardly means what it says.

In: a Spec that is valid field by field. Out: faults of the severity `warning`.
Holds: only what somebody wrote is judged, never a default; weaknesses of a design are the audit's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bastide.spec.checks.rule import Rule, hosts_with, listed
from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec
from bastide.spec.parts import Egress
from bastide.spec.values import IPNetwork, Model, format_duration

_KINDS_THAT_READ = {
    "entry": ("wsgi", "asgi", "php"),
    "command": ("command",),
    "port": ("command",),
    "threads": ("wsgi",),
    "requirements": ("wsgi", "asgi", "command"),
    "python": ("wsgi", "asgi", "command"),
    "processes": ("wsgi", "asgi", "php", "command"),
    "memory_max": ("wsgi", "asgi", "php", "command"),
    "migrate": ("wsgi", "asgi", "php", "command"),
    "secrets": ("wsgi", "asgi", "php", "command"),
    "environment": ("wsgi", "asgi", "php", "command"),
}
SECRET_WORDS = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE)
_LAB_ONLY = ("test", "localhost", "invalid", "example")
_SPARE_S = 4.0
"""What the web server waits longer than the application may take."""


def _given(section: Model, field: str) -> bool:
    return field in section.model_fields_set


def _app_settings(spec: Spec) -> Iterator[Fault]:
    for field, kinds in _KINDS_THAT_READ.items():
        if _given(spec.app, field) and spec.app.kind not in kinds:
            yield _idle(
                ("app", field),
                f"an application of the kind '{spec.app.kind}' reads no `{field}`",
                f"remove it; it is for the kind '{kinds[0]}'" if len(kinds) == 1 else "remove it",
                related=("app", "kind"),
                label="decides what is read",
            )


def _other_settings(spec: Spec) -> Iterator[Fault]:
    if _given(spec.balancer, "interface") and spec.balancer.virtual_ip == "none":
        message = "`interface` says where the virtual IP stands, and there is none"
        related: Keys = ("balancer", "virtual_ip")
        yield _idle(("balancer", "interface"), message, "remove it", related=related, label="none")
    if spec.database and _given(spec.database, "max_replica_lag") and spec.database.mode == "single":
        message = "`max_replica_lag` concerns replicas, and the mode 'single' has none"
        related = ("database", "mode")
        yield _idle(("database", "max_replica_lag"), message, "remove it", related=related, label="no replicas")


def _idle_roles(spec: Spec) -> Iterator[Fault]:
    for name, host in spec.hosts.items():
        for index, role in enumerate(host.roles):
            if role == "app" and spec.app.kind == "static":
                message = f"'{name}' has the role 'app', and the kind 'static' has no process to run"
                hint = "remove the role: web servers serve the files"
            elif role == "witness" and spec.database is None:
                message = f"'{name}' has the role 'witness', and there is no database to vote about"
                hint = "remove the role, or add `database: {}` with its hosts"
            else:
                continue
            yield _idle(("hosts", name, "roles", index), message, hint)


def _monitor_section(spec: Spec) -> Iterator[Fault]:
    if _given(spec, "monitor") and not hosts_with(spec, "monitor"):
        message = "the section 'monitor' has settings, and no host has the role 'monitor'"
        yield Fault(
            path=("monitor",),
            code="BST082",
            message=message,
            hint="give one host the role `monitor`, or remove the section",
            at="key",
            severity="warning",
        )


def _egress_roles(spec: Spec) -> Iterator[Fault]:
    for index, rule in enumerate(spec.firewall.egress):
        for position, role in enumerate(rule.roles):
            if not hosts_with(spec, role):
                present = tuple(dict.fromkeys(r for host in spec.hosts.values() for r in host.roles))
                yield Fault(
                    path=("firewall", "egress", index, "roles", position),
                    code="BST082",
                    message=f"no host has the role '{role}', so this opens nothing for it",
                    hint=f"roles of this spec: {listed(present)}",
                    severity="warning",
                )


def _admin_overlap(spec: Spec) -> Iterator[Fault]:
    for index, network in enumerate(spec.firewall.admin):
        for other_index, other in enumerate(spec.firewall.admin):
            if network != other and _within(network, other):
                yield _overlap(("firewall", "admin", index), network, ("firewall", "admin", other_index), other)
                break


def _egress_overlap(spec: Spec) -> Iterator[Fault]:
    rules = spec.firewall.egress if _given(spec.firewall, "egress") else ()
    for index, rule in enumerate(rules):
        for other_index, other in enumerate(rules):
            if other_index != index and _covers(other, rule, earlier=other_index < index):
                path: Keys = ("firewall", "egress", index, *(("to",) if _given(rule, "to") else ()))
                related: Keys = (
                    "firewall", "egress", other_index, *(("to",) if _given(other, "to") else ("port",)),
                )  # fmt: skip
                yield _overlap(path, rule.to, related, other.to)
                break


def _covers(wide: Egress, narrow: Egress, *, earlier: bool) -> bool:
    """Whether the one opens all that the other does. Of two that are the same, the later is told."""
    same = (wide.port, wide.protocol) == (narrow.port, narrow.protocol)
    if not same or (wide.roles and not set(narrow.roles or ("any",)) <= set(wide.roles)):
        return False
    if wide.to == narrow.to:
        return earlier or wide.roles != narrow.roles
    return wide.to == "anywhere" or (narrow.to != "anywhere" and _within(narrow.to, wide.to))


def _within(inner: IPNetwork, outer: IPNetwork) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _overlap(path: Keys, inner: object, related: Keys, outer: object) -> Fault:
    told = f"{inner} lies within {outer}" if outer != "anywhere" else f"{inner} is a part of everywhere"
    told = told if inner != outer else "the same is opened a second time"
    return Fault(
        path=path,
        code="BST081",
        message=f"{told}: this entry changes nothing",
        hint="remove it, or narrow the other one if less should be open",
        related=related,
        related_label="opens all of it",
        severity="warning",
    )


def _pasted_secrets(spec: Spec) -> Iterator[Fault]:
    for name, value in spec.app.environment.items():
        if value and SECRET_WORDS.search(name):
            yield Fault(
                path=("app", "environment", name),
                code="BST083",
                message=f"'{name}' looks like a secret, and stands in the spec for all to read",
                hint=f"move it: `secrets: {{{name}: {{file: PATH}}}}` below `app`, and change the secret if it was shared",
                at="key",
                severity="warning",
            )


def _impatient_balancer(spec: Spec) -> Iterator[Fault]:
    limit, needed = spec.balancer.timeouts.server, spec.app.timeout + _SPARE_S
    if spec.app.kind == "static" or limit >= needed:
        return
    given, told = _given(spec.balancer.timeouts, "server"), format_duration(limit)
    path: Keys = ("balancer", "timeouts", "server") if given else ("app", "timeout")
    yield Fault(
        path=path,
        code="BST084",
        message=f"the balancer waits {told} for an answer that the application may take "
        f"{format_duration(spec.app.timeout)} for",
        hint=f"raise `balancer.timeouts.server` to at least {format_duration(needed)}, or lower `app.timeout`",
        related=("app", "timeout") if given and _given(spec.app, "timeout") else None,
        related_label="may take this long",
        severity="warning",
    )


def _lab_domains(spec: Spec) -> Iterator[Fault]:
    if not any(host.address or host.public for host in spec.hosts.values()):
        return
    for index, domain in enumerate(spec.domains):
        if domain.rpartition(".")[2] in _LAB_ONLY:
            yield Fault(
                path=("domains", index),
                code="BST085",
                message=f"'{domain}' can never be found on the internet, and the hosts are servers of your own",
                hint="write the domain that your visitors type; names below .test are for the lab",
                severity="warning",
            )


def _idle(path: Keys, message: str, hint: str, *, related: Keys | None = None, label: str = "") -> Fault:
    item = isinstance(path[-1], int)
    return Fault(
        path=path,
        code="BST080",
        message=message,
        hint=hint,
        at="value" if item else "key",
        related=related,
        related_label=label,
        severity="warning",
    )


_HOSTS: Keys = ("hosts",)

LIKELY_RULES = (
    Rule(_app_settings, reads=(("app", "kind"),)),
    Rule(_other_settings, reads=(("balancer", "virtual_ip"), ("database", "mode"))),
    Rule(_idle_roles, reads=(("app", "kind"), ("database",))),
    Rule(_monitor_section, reads=(_HOSTS, ("monitor",))),
    Rule(_egress_roles, reads=(_HOSTS,)),
    Rule(_admin_overlap),
    Rule(_egress_overlap),
    Rule(_pasted_secrets),
    Rule(_impatient_balancer, reads=(("balancer", "timeouts"), ("app",))),
    Rule(_lab_domains, reads=(_HOSTS,)),
)
