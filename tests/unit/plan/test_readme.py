"""The README's plan of a one-line change is what `bastide plan` prints."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from bastide.bundle.compile import compile_bundles
from bastide.bundle.model import HostBundle
from bastide.plan.diff import diff_host
from bastide.plan.text import format_plan
from bastide.project.planning import plan_view
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.plan.observed import facts_of
from tests.unit.specs import make_spec

README = Path(__file__).parents[3] / "README.md"


def bundles(size: str) -> dict[str, HostBundle]:
    spec = make_spec(web={"max_body_size": size})
    topology = resolve_topology(spec)
    return compile_bundles(spec, topology, fake_materials(spec, topology))


def planned() -> str:
    """Of `web: {max_body_size: 50M}` on the nine hosts of `resilient`."""
    before, after = bundles("10M"), bundles("50M")
    plans = [diff_host(after[host], facts_of(before[host], after[host])) for host in after]
    old = {host: {file.path: file.content for file in bundle.files} for host, bundle in before.items()}
    view = plan_view(plans, resolve_topology(make_spec()), old, "db1")
    return format_plan(replace(view, bundles=after))


def test_readme_shows_the_plan_of_a_one_line_change() -> None:
    shown = re.search(r"^\$ bastide plan\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert shown and shown[1] == planned(), f"put this into the README:\n{planned()}"
