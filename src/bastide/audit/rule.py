"""What a rule of audit is, what it judges and what it finds.

In: nothing; these are types. Out: `Rule`, `Subject`, `Hit`, `Edit`. Holds: a rule is a value with everything that its
documentation page says; an id, once published, keeps its meaning and is not given to something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bastide.policy.cutsets import CutSet, cut_sets
from bastide.spec.errors import Keys
from bastide.spec.model import Spec
from bastide.spec.parts import Role
from bastide.topology.model import Topology

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""Worst first. `info` is no failure: what is worth knowing and has no better choice here."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is judged: an infrastructure as it would run on its target."""

    spec: Spec
    """With every address."""
    topology: Topology
    on_servers: bool
    """Servers of the user's own; False in the lab, which has no way out and is walled by this computer."""
    today: str
    """Such as 2026-11-20."""

    @cached_property
    def cuts(self) -> tuple[CutSet, ...]:
        """Every minimal cut of order 1 and 2."""
        return cut_sets(self.topology, 2)

    def hosts(self, role: Role) -> tuple[str, ...]:
        """Names of the hosts of a role, in spec order."""
        return tuple(host.name for host in self.topology.tier(role))

    @property
    def has_app(self) -> bool:
        """Whether there is a process of the user's, and not files alone."""
        return self.spec.app.kind != "static"

    @property
    def takeover(self) -> bool:
        """Whether another database becomes primary by itself."""
        return any(service.product == "etcd" for service in self.topology.services)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetValue:
    """Give a place of the spec this value, whether it stands there or not."""

    path: Keys
    yaml: str
    """The value as one line of YAML."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AddHosts:
    """Add hosts of one role. On servers of the user's own only a person can do that."""

    role: Role
    count: int
    also: tuple[Role, ...] = ()
    """Further roles of each."""


Edit = SetValue | AddHosts


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """One weakness."""

    element: str
    """What is weak: a host, a flow, or a place of the spec."""
    message: str
    """One sentence without a final stop: what is weak here, and what comes of it."""
    at: Keys = ()
    """Where the spec says so; empty stands for the spec as a whole."""
    edits: tuple[Edit, ...] = ()
    """What removes it; empty where a person has to decide."""
    severity: Severity | None = None
    """Where this one weighs differently from the rule's others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One kind of weakness."""

    id: str
    title: str
    severity: Severity
    why: str
    """What an attacker or an accident makes of it: a paragraph."""
    fix: str
    """What to write instead, in one or two sentences."""
    check: Callable[[Subject], Iterable[Hit]]
    servers_only: bool = False
    """Of no meaning in the lab, whose machines have no way out and run on one computer."""
