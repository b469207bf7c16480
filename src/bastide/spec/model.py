"""The spec: one frozen value that says everything about an infrastructure.

In: plain YAML values (from `source.py`, which knows where each stands). Out: `Spec`.
Holds: a Spec that exists is valid in each field by itself; what concerns several fields at once is checked in
`semantics.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bastide.spec.parts import App, Balancer, Database, Firewall, Host, Monitor, Rollout, Ssh, System, Tls, Web
from bastide.spec.review import Audit, Availability
from bastide.spec.values import DomainName, Model, Name


class Spec(Model):
    """A whole web infrastructure."""

    version: Literal[1] = 1
    """Version of this format."""
    name: Name
    """Name of the project; it names the lab, the internal domain and the certificates."""
    domains: tuple[DomainName, ...] = Field(min_length=1)
    """Domains that are served; the first is the main one."""
    hosts: dict[Name, Host] = Field(min_length=1)
    """The machines, by name."""
    ssh: Ssh = Ssh()
    """How the controller reaches hosts that do not say it themselves."""
    balancer: Balancer = Balancer()
    """The edge."""
    tls: Tls = Tls()
    """Encryption."""
    web: Web = Web()
    """The web servers."""
    app: App
    """The application."""
    database: Database | None = None
    """The database; without this section there is none."""
    firewall: Firewall = Firewall()
    """The walls."""
    monitor: Monitor = Monitor()
    """Monitoring."""
    rollout: Rollout = Rollout()
    """How changes reach the hosts."""
    system: System = System()
    """The operating system."""
    availability: Availability = Availability()
    """What predicts availability."""
    audit: Audit = Audit()
    """What audit accepts."""
