"""A host whose clock is wrong is named where somebody looks: by `plan` with what follows, by `status` as unwell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bastide.apply import observe
from bastide.bundle.compile import compile_bundles
from bastide.project import planning
from bastide.project.desired import Desired
from bastide.project.health import HostHealth, observe_health
from bastide.project.opening import open_project
from bastide.project.planning import plan_target
from bastide.project.target import Target
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import Endpoint
from tests.unit.materials import fake_materials
from tests.unit.plan.observed import answer_of

SPEC = """\
name: shop
domains: [shop.test]
hosts:
  lb1: {roles: [balancer], address: 10.0.0.1}
  web1: {roles: [web], address: 10.0.0.2}
app: {kind: static, path: ./site}
"""


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "site").mkdir()
    (tmp_path / "bastide.yaml").write_text(SPEC)
    project = open_project(tmp_path / "bastide.yaml")
    hosts = {name: Endpoint(host=name, address=str(one.address)) for name, one in project.spec.hosts.items()}
    return Target(kind="servers", spec=project.spec, state=project.state("servers"), base=tmp_path, endpoints=hosts)


@pytest.fixture
def desired(target: Target, tmp_path: Path) -> Desired:
    topology = resolve_topology(target.spec)
    bundles = compile_bundles(target.spec, topology, fake_materials(target.spec, topology))
    return Desired(topology=topology, bundles=bundles, blobs=tmp_path)


def answering(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, dict[str, Any]], ahead_s: dict[str, float]
) -> None:
    """Hosts that say this, with clocks that far ahead."""

    class Conversation:
        def __init__(self, host: str) -> None:
            self.host = host

        def request(self, operation: str, **_: Any) -> dict[str, Any]:
            return {"addresses": [], **answers[self.host], "clock": time.time() + ahead_s.get(self.host, 0.0)}

    @contextmanager
    def opened(endpoint: Endpoint, **_: Any) -> Iterator[Conversation]:
        yield Conversation(endpoint.host)

    for module in (planning, observe):
        monkeypatch.setattr(module, "open_conversation", opened)


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [
        ({}, ()),
        ({"web1": 299.0}, ()),
        (
            {"web1": 660.0},
            ("web1: its clock is 11 minutes ahead of this computer's; more than an hour is refused",),
        ),
        ({"lb1": -7260.0}, ("lb1: its clock is 2 hours behind this computer's; more than an hour is refused",)),
    ],
)
def test_a_plan_names_it_and_stands_all_the_same(
    target: Target,
    desired: Desired,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: dict[str, float],
    said: tuple[str, ...],
) -> None:
    answers = {name: answer_of(bundle, bundle) for name, bundle in desired.bundles.items()}
    answering(monkeypatch, answers, ahead_s)
    plan = plan_target(target, desired, frozenset())
    assert tuple(words.removesuffix(" by an apply") for words in plan.wrong_clocks) == said
    notes = plan.view(target, desired).notes
    assert [words for words in notes if "clock" in words] == list(plan.wrong_clocks)
    assert {one.host for one in plan.plans} == set(desired.bundles), "the plan of every host stands"


def seen_well(desired: Desired, host: str) -> dict[str, Any]:
    """What a host says of which nothing is to be complained."""
    topology = desired.topology
    return {
        "generation": desired.bundles[host].digest,
        "failed_units": [],
        "probes": [],
        "units": {service.unit: {"active": "active"} for service in topology.services_of(host)},
    }


@pytest.mark.parametrize(
    ("ahead_s", "reason"), [(299.0, ""), (-301.0, "its clock is 5 minutes behind this computer's")]
)
def test_status_calls_it_unwell(
    target: Target, desired: Desired, monkeypatch: pytest.MonkeyPatch, ahead_s: float, reason: str
) -> None:
    answering(monkeypatch, {name: seen_well(desired, name) for name in desired.bundles}, {"web1": ahead_s})
    health = observe_health(target)
    found: dict[str, HostHealth] = {host.name: host for host in health.hosts}
    assert (found["web1"].reason, found["web1"].healthy) == (reason, not reason)
    assert found["lb1"].healthy
    assert health.healthy is (not reason)


def test_who_is_believed_is_not_asked(target: Target, desired: Desired, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {name: seen_well(desired, name) for name in desired.bundles}, {})
    first = observe_health(target)
    answering(monkeypatch, {"lb1": {**seen_well(desired, "lb1"), "failed_units": ["x.service"]}}, {})
    health = observe_health(target, [host for host in first.hosts if host.name == "web1"])
    assert [host.reason for host in health.hosts] == ["failed: x.service", ""], "lb1 anew, web1 as it was"
