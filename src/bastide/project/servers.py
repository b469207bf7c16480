"""How real servers are reached: address, port, user and jump host from the spec, the rest from ~/.ssh and the agent.

In: a spec with addresses, the project's file of host keys. Out: an Endpoint for each host.
Holds: a host whose key was recorded (`bastide trust`) is known by that key alone, whatever its address; until then the
user's own known_hosts decide. The spec says user and port, because the firewall follows from them; what else
~/.ssh/config says of the address (keys, algorithms, a jump host) holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bastide.spec.model import Spec
from bastide.spec.parts import Ssh
from bastide.transport.endpoint import Endpoint


def server_endpoints(spec: Spec, known_hosts: Path) -> Mapping[str, Endpoint]:
    """By host name. Raises RecursionError never: a jump over oneself is refused with the spec."""
    known = recorded_names(known_hosts)
    made: dict[str, Endpoint] = {}

    def endpoint(name: str) -> Endpoint:
        if name not in made:
            host = spec.hosts[name]
            ssh = host.ssh or spec.ssh
            address = ssh.address or str(host.public or host.address)
            made[name] = _endpoint(name, address, ssh.port, ssh.user, jump(name, ssh), known_hosts, known)
        return made[name]

    def jump(name: str, ssh: Ssh) -> Endpoint | None:
        if ssh.jump is None or ssh.jump == name:
            return None
        if ssh.jump in spec.hosts:
            return endpoint(ssh.jump)
        user, address, port = split_jump(ssh.jump)
        return _endpoint(ssh.jump, address, port, user or ssh.user, None, known_hosts, known)

    return {name: endpoint(name) for name in spec.hosts}


def split_jump(text: str) -> tuple[str, str, int]:
    """`user@address:port` as its parts; no user is an empty one."""
    user, _, place = text.rpartition("@")
    address, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        address, port = place, "22"
    return user, address.strip("[]"), int(port)


def recorded_names(known_hosts: Path) -> frozenset[str]:
    """Names whose keys were recorded."""
    try:
        return frozenset(line.split()[0] for line in known_hosts.read_text().splitlines() if line.strip())
    except OSError:
        return frozenset()


def key_name(name: str) -> str:
    """Under which a host's key is recorded; ssh reads commas and stars as patterns, and no name of ours has any."""
    return f"bastide-{name}"


def _endpoint(
    name: str,
    address: str,
    port: int,
    user: str,
    jump: Endpoint | None,
    known_hosts: Path,
    known: frozenset[str],
) -> Endpoint:
    recorded = key_name(name) in known
    return Endpoint(
        host=name,
        address=address,
        port=port,
        user=user,
        known_hosts=known_hosts if recorded else None,
        alias=key_name(name) if recorded else None,
        jump=jump,
    )
