"""A large site compiles, and no host is coloured by another that was compiled before it."""

from __future__ import annotations

import pytest

from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.compile import compile_bundles
from bastide.products.context import HostContext
from bastide.products.registry import render_host
from bastide.topology.resolve import resolve_topology
from bench.compile_hosts import layout
from tests.unit.materials import fake_materials
from tests.unit.specs import EVERYTHING_ON_ONE, WHITEBOARD, make_spec


def test_a_thousand_hosts_give_a_thousand_digests() -> None:
    spec = make_spec(layout(1000))
    topology = resolve_topology(spec)
    bundles = compile_bundles(spec, topology, fake_materials(spec, topology))
    assert len({bundle.digest for bundle in bundles.values()}) == 1000


@pytest.mark.parametrize(
    "hosts",
    [layout(30), WHITEBOARD, dict.fromkeys(("a", "b", "c"), EVERYTHING_ON_ONE["all1"])],
    ids=["roles apart", "some mixed", "all mixed"],
)
def test_a_host_compiled_alone_is_what_it_is_among_the_others(hosts: dict[str, list[str]]) -> None:
    """What is derived once for all hosts must not depend on the host whose turn it was."""
    spec = make_spec(hosts)
    topology = resolve_topology(spec)
    materials = fake_materials(spec, topology)
    together = {name: bundle.digest for name, bundle in compile_bundles(spec, topology, materials).items()}
    alone = {}
    for name, host in topology.hosts.items():
        context = HostContext(spec=spec, topology=topology, materials=materials, host=host)
        alone[name] = assemble_bundle(name, render_host(context)).digest
    assert together == alone
