"""Who votes on which database is the primary.

In: a Spec. Out: whether a standby takes over by itself, and the hosts that vote.
"""

from __future__ import annotations

from bastide.spec.model import Spec

VOTES = (3, 5)


def is_automatic(spec: Spec) -> bool:
    """Whether a standby takes over by itself."""
    return (
        spec.database is not None and spec.database.mode == "replication" and spec.database.failover == "automatic"
    )


def derive_voters(spec: Spec) -> tuple[str, ...]:
    """Database hosts and witnesses, in spec order."""
    return tuple(name for name, host in spec.hosts.items() if {"database", "witness"} & set(host.roles))
