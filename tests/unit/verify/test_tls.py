"""What a listener may open to: its peers' certificates alone; of etcd, what it is known to tell apart, and no less."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from bastide.topology.resolve import resolve_topology
from bastide.verify import tls
from bastide.verify.claims import Check
from bastide.verify.forging import EXPIRED, FOREIGN, GONE, NONE, OLDER, PLAIN, RIGHT
from tests.unit.specs import RESILIENT, make_spec

SIBLING = "of app.app1"
REFUSED, OPEN = "refused: TLSV13_ALERT_CERTIFICATE_REQUIRED", "HTTP/1.1 200 OK"
TOPOLOGY = resolve_topology(
    make_spec(
        {**RESILIENT, "monitor1": ["monitor", "witness"]},
        database={"mode": "replication", "name": "shop", "failover": "automatic"},
    )
)


class _Scene:
    topology = TOPOLOGY

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers

    def ask(self, *_: Any, **__: Any) -> Mapping[str, str]:
        return self._answers


def inner(monkeypatch: pytest.MonkeyPatch, flow: str, *opened: str) -> Check:
    """The check of one listener that opens to those besides the right one."""
    labels = (RIGHT, PLAIN, NONE, OLDER, EXPIRED, FOREIGN, GONE, SIBLING)
    monkeypatch.setattr(tls, "project_authority", lambda _: SimpleNamespace(trust_anchor_pem=""))
    monkeypatch.setattr(tls, "forge_tries", lambda *_: {label: {} for label in labels})
    answers = {label: OPEN if label in (RIGHT, *opened) else REFUSED for label in labels}
    found = TOPOLOGY.flow(flow)
    return tls._inner(_Scene(answers), found, TOPOLOGY.tier(found.target)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("opened", [PLAIN, NONE, OLDER, EXPIRED, FOREIGN, GONE, SIBLING])
def test_a_listener_that_opens_to_anything_else_has_failed(opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inner(monkeypatch, "web-app").result == "proven"
    check = inner(monkeypatch, "web-app", opened)
    assert check.result == "failed" and check.proof["wrong"] == [opened]


@pytest.mark.parametrize("opened", [PLAIN, NONE, EXPIRED, FOREIGN, SIBLING])
def test_etcd_tells_its_peers_by_their_tiers_name(opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inner(monkeypatch, "voter-peer", OLDER, GONE).result == "proven"
    assert inner(monkeypatch, "voter-peer", opened).result == "failed"


@pytest.mark.parametrize("opened", [PLAIN, NONE, EXPIRED, FOREIGN])
def test_etcd_tells_its_clients_by_their_authority(opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = inner(monkeypatch, "voter-client", OLDER, GONE, SIBLING)
    assert known.result == "proven" and "of the project alone" in known.claim
    assert inner(monkeypatch, "voter-client", opened).result == "failed"
