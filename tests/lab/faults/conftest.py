"""Three machines that tests may kill, cut off, fill up and set back; a clean slate for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastide.topology.model import Topology
from bastide.transport.endpoint import Endpoint
from tests.lab.apply.conftest import Ground, clean_ground, raised_hosts
from tests.lab.machines_kit import of_this_checkout

LAB = of_this_checkout("faults-tests")
HOSTS = ("web1", "web2", "web3")


@pytest.fixture(scope="package")
def machines() -> Iterator[tuple[dict[str, Endpoint], Topology]]:
    """Raised once; a fourth web server stands in the topology alone, so that a batch may hold two."""
    with raised_hosts(LAB, HOSTS) as (endpoints, topology):
        fourth = replace(topology.hosts["web1"], name="web4")
        yield endpoints, replace(topology, hosts={**topology.hosts, "web4": fourth})


@pytest.fixture
def ground(machines: tuple[dict[str, Endpoint], Topology], tmp_path: Path) -> Ground:
    """Nothing was ever applied; batches of two after the first host."""
    ready = clean_ground(machines, tmp_path)
    ready.settings = {"batch": 2}
    return ready
