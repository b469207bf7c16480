"""The demo shop with its monitor, raised once for all tests of this folder; each leaves it healthy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.commands import scratch_project
from tests.lab.monitoring.watched import Watched

_SECTIONS = """
balancer:
  # One machine is the whole internet here.
  rate_limit: {requests: 100000000, connections: 5000, handshakes: 1000000}
firewall:
  egress:
    - {port: 443, why: packages}
    - {port: 9999, roles: [monitor], why: who is told of alerts}
"""
_RECEIVERS = """
monitor:
  alerting:
    watchdog: http://CLIENT:9999/watchdog
    webhooks: [{url: "http://CLIENT:9999/alerts"}]
"""


@pytest.fixture(scope="package")
def watched() -> Iterator[Watched]:
    with scratch_project("shop") as commands:
        example = commands.spec.read_text()
        commands.spec.write_text(example + _SECTIONS)
        facts = json.loads(commands.do("up", "--json", timeout_s=240))
        client = commands.ask("client", "ip -4 -o addr show dev pub0 | awk '{print $4}' | cut -d/ -f1")
        commands.spec.write_text(example + _SECTIONS + _RECEIVERS.replace("CLIENT", client))
        commands.do("apply", "--yes", timeout_s=120)
        yield Watched(commands=commands, facts=facts)
