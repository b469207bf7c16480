"""The compiler: an infrastructure becomes one bundle a host.

In: spec, topology, materials. Out: bundles by host name, in spec order.
Holds: pure; the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.model import HostBundle
from bastide.policy.materials import Materials
from bastide.products.context import HostContext
from bastide.products.registry import render_host
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def compile_bundles(spec: Spec, topology: Topology, materials: Materials) -> dict[str, HostBundle]:
    """The whole desired state of every host."""
    return dict(compile_each(spec, topology, materials))


def compile_each(spec: Spec, topology: Topology, materials: Materials) -> Iterator[tuple[str, HostBundle]]:
    """One host after the other, for those who need not have all at once: a site's bundles together are large."""
    derived: dict[object, Any] = {}
    for name, host in topology.hosts.items():
        context = HostContext(spec=spec, topology=topology, materials=materials, host=host, derived=derived)
        yield name, assemble_bundle(name, render_host(context))
