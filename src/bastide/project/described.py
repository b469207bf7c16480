"""What a spec describes, as far as can be said without touching a machine.

In: a project. Out: the spec and the topology with every address: the servers', the lab's if there is one, or such as
a lab would have. Holds: nothing is raised, asked or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from bastide.lab.addressing import assign_addresses, derive_lab_addresses
from bastide.lab.disk import recorded_addresses
from bastide.lab.state import find_networks
from bastide.project.opening import Project
from bastide.spec.model import Spec
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology

_PUBLIC, _PRIVATE = IPv4Network("198.18.0.0/16"), IPv4Network("10.213.0.0/16")


@dataclass(frozen=True, kw_only=True)
class Described:
    """An infrastructure on paper."""

    spec: Spec
    topology: Topology
    real: bool
    """Whether the addresses are those of machines."""


def describe_project(project: Project) -> Described:
    """The infrastructure. Raises UnresolvedAddress when only some servers have an address."""
    written = project.spec
    if any(host.address or host.public for host in written.hosts.values()):
        return Described(spec=written, topology=resolve_topology(written), real=True)
    networks = find_networks(project.lab_name)
    known = recorded_addresses(project.lab_name) if networks else {}
    public, private = (networks.public, networks.private) if networks else (_PUBLIC, _PRIVATE)
    spec = assign_addresses(written, derive_lab_addresses(written, public, private, known=known))
    # Who administers, and what hosts do by themselves, is said of the spec and not of the lab's stand-ins for it.
    spec = spec.model_copy(
        update={"firewall": written.firewall, "domains": written.domains, "system": written.system}
    )
    return Described(spec=spec, topology=resolve_topology(spec), real=networks is not None)
