"""Which database is what right now, asked of the keepers themselves.

In: a Target and its topology. Out: each database host's own answer; None where it gave none.
Holds: the primary is whatever says so at the highest epoch, never what a file of ours says.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bastide.project.target import Target
from bastide.topology.model import Topology
from bastide.transport.endpoint import Endpoint, root_argv

_ASK = ["curl", "--silent", "--max-time", "3", "--unix-socket", "/run/keeper/status.sock", "http://keeper/status"]

Members = Mapping[str, Mapping[str, Any] | None]


def database_members(target: Target, topology: Topology, *, silent: frozenset[str] = frozenset()) -> Members:
    """Answers by host, in spec order; empty without a database. `silent` hosts are known not to answer."""
    hosts = [host.name for host in topology.tier("database") if host.name not in silent]
    if not hosts:
        return {}
    with ThreadPoolExecutor(max_workers=16) as pool:
        return dict(zip(hosts, pool.map(lambda name: _ask(target.endpoint(name)), hosts), strict=True))


def find_primary(members: Members) -> str | None:
    """The host that is primary, if one says so."""
    primaries = [
        (int(answer.get("epoch") or 0), host)
        for host, answer in members.items()
        if answer and answer.get("role") == "primary"
    ]
    return max(primaries)[1] if primaries else None


def _ask(endpoint: Endpoint) -> Mapping[str, Any] | None:
    try:
        done = subprocess.run(
            root_argv(endpoint, _ASK),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=15,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
