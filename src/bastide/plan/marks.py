"""Paths that tell what a host has been; `observe` is asked whether they are there.

In: topology. Out: paths by host. Holds: pure.
"""

from __future__ import annotations

from bastide.products.etcd.view import FORMED, MEMBER
from bastide.products.mariadb import paths
from bastide.topology.model import Topology

DATA_MARKS = (paths.RECORD, paths.DATA)
"""Either of these means data of a database."""
VOTER_MARKS = (FORMED, MEMBER)
"""Either of these means that it has been a voter."""


def marks_of(topology: Topology, host: str) -> tuple[str, ...]:
    """What to ask one host for."""
    one = topology.hosts[host]
    return (*(DATA_MARKS if "database" in one.roles else ()), *(VOTER_MARKS if one.votes else ()))
