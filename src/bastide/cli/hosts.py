"""Names of hosts on the command line.

In: what the user typed. Out: how to reach it. Raises click.UsageError with the nearest names.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import click

from bastide.project.target import CLIENT, Target
from bastide.transport.endpoint import Endpoint


def endpoint_of(target: Target, host: str) -> Endpoint:
    """How to reach a host of the target, or its client."""
    check_hosts(target, [host], client=True)
    return target.endpoint(host)


def check_hosts(target: Target, hosts: Iterable[str], *, client: bool = False) -> None:
    """Refuse names that the spec does not have."""
    known = [*target.endpoints, *([CLIENT] if client and target.client else [])]
    for host in hosts:
        if host not in known:
            near = get_close_matches(host, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
            raise click.UsageError(f"There is no host '{host}'; {hint}")
