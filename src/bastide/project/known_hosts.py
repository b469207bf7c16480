"""Which hosts we have ever applied to, so that one that leaves the spec is not forgotten.

In: a Target and what an apply led to. Out: `hosts.json` in the state directory (0600): how each was reached.
Holds: an address is kept, never a key; a host leaves the list only when it was decommissioned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bastide.apply.result import ApplyResult
from bastide.host.disk import read_json, write_json
from bastide.project.target import Target
from bastide.transport.endpoint import Endpoint, endpoint_from_plain, endpoint_to_plain


def remember_hosts(target: Target, result: ApplyResult) -> None:
    """Add the hosts that have something of ours now."""
    known = _read(target)
    reached = [name for name, host in result.hosts.items() if host.outcome in ("changed", "unchanged")]
    wanted = known | {
        name: endpoint_to_plain(target.endpoints[name]) for name in reached if name in target.endpoints
    }
    if wanted != known:
        write_json(target.state / "hosts.json", wanted)


def forget_host(target: Target, name: str) -> None:
    """It has nothing of ours any more."""
    write_json(target.state / "hosts.json", {k: v for k, v in _read(target).items() if k != name})


def departed_hosts(target: Target) -> dict[str, Endpoint]:
    """Hosts that we applied to and that the spec names no longer."""
    return {
        name: endpoint_from_plain(name, e) for name, e in _read(target).items() if name not in target.spec.hosts
    }


def hosts_that_left(target: Target) -> Iterator[str]:
    """A note for each of them."""
    for name, endpoint in departed_hosts(target).items():
        yield (
            f"host {name} left the spec: what bastide put on {endpoint.address} still runs there, and no other host "
            f"talks to it after an apply; take it away with: bastide decommission {name}"
        )


def _read(target: Target) -> dict[str, Any]:
    known: dict[str, Any] = read_json(target.state / "hosts.json", {})
    return known
