"""Designs to be judged: a layout, and what a test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bastide.audit.rule import Subject
from bastide.topology.resolve import resolve_topology
from tests.unit.specs import RESILIENT, make_spec

TODAY = "2026-11-20"
GOOD_ALERTING = {
    "email": {"to": ["ops@example.com"], "sender": "bastide@example.com", "server": "mail.example.com:587"},
    "watchdog": "https://watch.example.com/1",
}


@dataclass(frozen=True, kw_only=True)
class Design:
    """What differs from the resilient layout on servers, with nothing to say against it."""

    layout: Mapping[str, Sequence[str]] = field(default_factory=lambda: RESILIENT)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further keys of single hosts."""
    sections: Mapping[str, Any] = field(default_factory=dict)


def design(
    layout: Mapping[str, Sequence[str]] | None = None,
    *,
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    **sections: Any,
) -> Design:
    """A design that differs in these ways."""
    return Design(
        layout=layout or RESILIENT,
        hosts=hosts or {},
        sections=sections,
    )


def database(layout: Mapping[str, Sequence[str]], **settings: Any) -> Mapping[str, Any]:
    """The section `database` of a layout: automatic failover where it can be."""
    databases = sum("database" in roles for roles in layout.values())
    votes = sum(bool({"database", "witness"} & set(roles)) for roles in layout.values())
    if databases < 2:
        return {"mode": "single", **settings}
    failover = "automatic" if databases == 2 and votes in (3, 5) else "manual"
    return {"mode": "replication", "failover": failover, **settings}


def subject_of(design: Design, *, on_servers: bool = True) -> Subject:
    """The design, resolved."""
    sections = dict(design.sections)
    if any("database" in roles for roles in design.layout.values()):
        sections["database"] = database(design.layout, **sections.get("database", {}))
    plain = make_spec(design.layout, **sections).model_dump(mode="json", by_alias=True)
    for name, further in design.hosts.items():
        plain["hosts"][name] |= further
    spec = type(make_spec()).model_validate(plain)
    return Subject(spec=spec, topology=resolve_topology(spec), on_servers=on_servers, today=TODAY)
