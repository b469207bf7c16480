"""Where a project runs: its lab on this computer, or its servers.

In: a Project and what the user asked for. Out: `Target`: a spec with every address, and how to reach each host.
Raises TargetUnclear where a guess could touch the wrong machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bastide.lab.addressing import LabAddresses, assign_addresses, derive_lab_addresses
from bastide.lab.disk import recorded_addresses
from bastide.lab.state import LabNetworks, find_networks
from bastide.project.opening import Project, TargetKind
from bastide.project.servers import server_endpoints
from bastide.spec.load import LoadedSpec
from bastide.spec.model import Spec
from bastide.transport.endpoint import Endpoint

CLIENT = "client"


class TargetUnclear(Exception):
    """It does not follow from the project which machines are meant. `hint` says what to type."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Machines that a verb acts on."""

    kind: TargetKind
    spec: Spec
    """With every address."""
    state: Path
    base: Path
    endpoints: Mapping[str, Endpoint]
    """How to reach each host of the spec."""
    lab: LabAddresses | None = None
    client: Endpoint | None = None
    """The lab's internet machine."""
    loaded: LoadedSpec | None = field(default=None, repr=False)
    """The spec as written, to point into its file."""

    @property
    def ca(self) -> Path:
        """The project's root certificate."""
        return self.state / "pki" / "ca.pem"

    def endpoint(self, host: str) -> Endpoint:
        """How to reach a host, or the lab's client. Raises KeyError."""
        if host == CLIENT and self.client is not None:
            return self.client
        return self.endpoints[host]


def choose_target(project: Project, wanted: Literal["auto", "lab", "servers"]) -> Target:
    """The target of a verb that does not raise machines itself."""
    networks = find_networks(project.lab_name)
    on_servers = any(host.address or host.public for host in project.spec.hosts.values())
    if wanted == "auto":
        if networks and on_servers:
            raise TargetUnclear(
                "this project has a lab on this computer, and its spec has addresses of servers",
                "add --target lab or --target servers",
            )
        wanted = "servers" if on_servers else "lab"
    if wanted == "servers":
        return servers_target(project)
    if networks is None:
        raise TargetUnclear("this project has no lab on this computer yet", "raise it: bastide up")
    return lab_target(project, networks)


def lab_target(project: Project, networks: LabNetworks) -> Target:
    """The project's lab."""
    known = recorded_addresses(project.lab_name)
    addresses = derive_lab_addresses(project.spec, networks.public, networks.private, known=known)
    state = project.state("lab")

    def endpoint(name: str, address: str) -> Endpoint:
        return Endpoint(
            host=name,
            address=address,
            port=22,
            user="root",
            identity_file=state / "ssh" / "id_ed25519",
            known_hosts=state / "ssh" / "known_hosts",
        )

    return Target(
        kind="lab",
        spec=assign_addresses(project.spec, addresses),
        state=state,
        base=project.base,
        endpoints={name: endpoint(name, str(interface.ip)) for name, interface in addresses.private.items()},
        lab=addresses,
        client=endpoint(CLIENT, str(addresses.client.ip)),
        loaded=project.loaded,
    )


def servers_target(project: Project) -> Target:
    """The project's own servers."""
    missing = [name for name, host in project.spec.hosts.items() if host.address is None and host.public is None]
    if missing:
        raise TargetUnclear(
            f"no address for {', '.join(missing)}",
            "give each host an address in the spec, or raise a lab instead: bastide up",
        )
    state = project.state("servers")
    return Target(
        kind="servers",
        spec=project.spec,
        state=state,
        base=project.base,
        endpoints=server_endpoints(project.spec, state / "ssh" / "known_hosts"),
        loaded=project.loaded,
    )
