"""One running hub for the tests that only ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.unit.hub.kit import RunningHub, make_settings, write_settings


@pytest.fixture
def stopped_hub(tmp_path: Path) -> Iterator[RunningHub]:
    settings = make_settings(tmp_path, metrics_port=free_port())
    hub = RunningHub(settings=settings, file=write_settings(settings, tmp_path))
    yield hub
    if hasattr(hub, "process") and hub.process.poll() is None:
        hub.kill()


@pytest.fixture
def hub(stopped_hub: RunningHub) -> RunningHub:
    stopped_hub.start()
    return stopped_hub
