"""Whether a rollout must be one step, because hosts of before and after do not understand each other."""

from __future__ import annotations

from typing import Any

import pytest

from bastide.plan.steps import HostPlan, WriteFile
from bastide.plan.wire import speaks_anew
from bastide.products.context import HostContext
from bastide.products.system.render import WIRE, render
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import RESILIENT, make_spec


def content(**sections: Any) -> bytes:
    spec = make_spec(RESILIENT, **sections)
    topology = resolve_topology(spec)
    context = HostContext(
        spec=spec, topology=topology, host=topology.hosts["web1"], materials=fake_materials(spec, topology)
    )
    return next(file.content for file in render(context).files if file.path == WIRE)


def plan(path: str, had: str | None, new: str) -> HostPlan:
    step = WriteFile(path=path, old=had, new=new, secret=False, drifted=False, had=had)
    return HostPlan(host="web1", digest="d", fresh=had is None, steps=(step,))


@pytest.mark.parametrize(
    "sections",
    [{"tls": {"inside": "plain"}}, {"database": {"mode": "replication", "failover": "automatic"}}],
)
def test_encryption_and_takeover_change_how_hosts_speak(sections: dict[str, Any]) -> None:
    assert content(**sections) != content()


def test_what_neighbours_do_not_notice_does_not() -> None:
    assert content(web={"gzip": False}, system={"generations": 7}) == content()


def test_only_a_host_that_spoke_before_can_speak_anew() -> None:
    assert speaks_anew([plan("/etc/other", "a", "b"), plan(WIRE, "a", "b")])
    assert not speaks_anew([plan(WIRE, None, "b")])
    assert not speaks_anew([plan(WIRE, "b", "b"), plan("/etc/other", "a", "b")])
