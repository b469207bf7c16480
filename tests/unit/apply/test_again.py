"""An apply with nothing to do is seen by one look; as soon as anything is to be done or said, it is for a whole apply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from bastide.apply.again import see_nothing_to_do
from bastide.apply.early import EarlyConversations
from bastide.bundle.compile import compile_bundles
from bastide.bundle.model import HostBundle
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import HostFailed
from tests.unit.materials import fake_materials
from tests.unit.plan.observed import answer_of
from tests.unit.specs import make_spec

ENDPOINTS = {name: Endpoint(host=name, address="192.0.2.1") for name in ("lb1", "web1")}


def bundles() -> dict[str, HostBundle]:
    spec = make_spec({"lb1": ["balancer"], "web1": ["web"]}, app={"kind": "static", "path": "./site"})
    topology = resolve_topology(spec)
    return compile_bundles(spec, topology, fake_materials(spec, topology))


@dataclass
class Talk:
    """A conversation that answers an observation, and nothing else."""

    endpoint: Endpoint
    answer: dict[str, Any] | HostFailed
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    def request(self, operation: str, **_: Any) -> Any:
        self.asked.append(operation)
        if isinstance(self.answer, HostFailed):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed = True


def talks(**changed: Any) -> dict[str, Talk]:
    """Hosts that are as they should be; of web1 some facts are others."""
    answers: dict[str, Any] = {name: answer_of(bundle, bundle) for name, bundle in bundles().items()}
    if "error" in changed:
        answers["web1"] = changed["error"]
    else:
        answers["web1"] = {**answers["web1"], **changed}
    return {name: Talk(ENDPOINTS[name], answer) for name, answer in answers.items()}


def look(found: dict[str, Talk]) -> tuple[Any, list[str], EarlyConversations]:
    early = EarlyConversations()
    seen: list[str] = []
    for talk in found.values():
        early.give_back(talk)  # type: ignore[arg-type]
    return see_nothing_to_do(bundles(), ENDPOINTS, early, seen.append), seen, early


def test_every_host_as_it_should_be_is_a_result() -> None:
    found = talks()
    result, seen, _ = look(found)
    assert result is not None and result.ok and result.changes == 0
    assert {host.outcome for host in result.hosts.values()} == {"unchanged"}
    assert seen == ["lb1", "web1"]
    assert all(talk.closed and talk.asked == ["observe"] for talk in found.values())


@pytest.mark.parametrize(
    "changed",
    [
        {"differing": ["/etc/bastide/nginx/nginx.conf"]},
        {"missing_packages": ["nginx"]},
        {"settled": False},
        {"on_purpose": "anna went back from apply 4"},
        {"error": HostFailed("web1", "lost", operation="observe", code="lost")},
    ],
    ids=["drift", "a package", "unfinished", "taken back", "an error"],
)
def test_anything_else_is_none_and_conversations_are_handed_on(changed: dict[str, Any]) -> None:
    found = talks(**changed)
    result, seen, early = look(found)
    assert result is None and not seen
    taken: object = early.take(ENDPOINTS["lb1"])
    assert taken is found["lb1"]
    assert not found["lb1"].closed
