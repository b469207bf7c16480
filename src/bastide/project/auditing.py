"""A project's design judged, with no host asked: as its lab runs it, or as its own servers would.

In: a Project, the target, the day. Out: `Audited`: the report, and what servers would add to it. Holds: nothing is
raised, reached or written; a spec without addresses gets those that a lab would give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from bastide.audit.judge import Finding, Report, judge
from bastide.audit.rule import Subject
from bastide.lab.addressing import assign_addresses, derive_lab_addresses
from bastide.project.opening import Project, TargetKind
from bastide.spec.errors import Keys, dotted
from bastide.spec.model import Spec
from bastide.spec.origins import Origin
from bastide.topology.resolve import resolve_topology

_PUBLIC, _PRIVATE = IPv4Network("198.18.0.0/15"), IPv4Network("10.128.0.0/9")
"""Networks large enough for any spec; the addresses stand for those that machines will have."""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A judged project."""

    target: TargetKind
    subject: Subject
    report: Report
    on_servers: tuple[Finding, ...]
    """For the lab: what would be found as well if the hosts were servers of the user's own."""
    origins: Mapping[str, Origin]

    def place(self, at: Keys) -> Origin:
        """Where the spec says that, or the nearest section that it says."""
        for length in range(len(at), 0, -1):
            origin = self.origins.get(dotted(at[:length]))
            if origin is not None and not origin.is_default:
                return origin
        return next(origin for origin in self.origins.values() if not origin.is_default)


def audit_project(project: Project, wanted: Literal["auto", "lab", "servers"], *, today: str) -> Audited:
    """Judge it. `today` is a day such as 2026-11-20."""
    spec = project.spec
    addressed = any(host.address or host.public for host in spec.hosts.values())
    target: TargetKind = "servers" if wanted == "servers" or (wanted == "auto" and addressed) else "lab"
    subject = _subject(spec, target, today)
    report = judge(subject)
    further: tuple[Finding, ...] = ()
    if target == "lab":
        known = {(f.rule.id, f.element) for f in (*report.findings, *report.waived, *report.notes)}
        servers = judge(_subject(spec, "servers", today))
        further = tuple(f for f in servers.findings if (f.rule.id, f.element) not in known)
    return Audited(
        target=target, subject=subject, report=report, on_servers=further, origins=project.loaded.origins
    )


def _subject(spec: Spec, target: TargetKind, today: str) -> Subject:
    resolved = as_lab(spec) if target == "lab" else _as_servers(spec)
    return Subject(spec=resolved, topology=resolve_topology(resolved), on_servers=target == "servers", today=today)


def as_lab(spec: Spec) -> Spec:
    """The spec as a lab would run it."""
    return assign_addresses(spec, derive_lab_addresses(spec, _PUBLIC, _PRIVATE))


def _as_servers(spec: Spec) -> Spec:
    """The spec as it stands, with addresses for hosts that have none yet."""
    if all(host.address or host.public for host in spec.hosts.values()):
        return spec
    lab = as_lab(spec)
    hosts = {
        name: host
        if host.address or host.public
        else host.model_copy(update={"address": lab.hosts[name].address, "public": _public(lab, name)})
        for name, host in spec.hosts.items()
    }
    return spec.model_copy(update={"hosts": hosts})


def _public(lab: Spec, name: str) -> object:
    return lab.hosts[name].public if "balancer" in lab.hosts[name].roles else None
