"""An authority in a fresh directory, at a time that tests may move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bastide.pki.authority import Authority, open_authority
from bastide.spec.values import IPAddress

DOMAINS = ("shop.example", "www.shop.example")
INTERNAL = "shop.internal"
Open = Callable[..., Authority]


@pytest.fixture
def now() -> datetime:
    """The machine's time, because openssl judges by it."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the authority lives."""
    return tmp_path / "state" / "pki"


@pytest.fixture
def open_shop(directory: Path, now: datetime) -> Open:
    """Open the shop's authority; domains and time may be given."""

    def opened(
        *, domains: tuple[str, ...] = DOMAINS, at: datetime = now, addresses: tuple[IPAddress, ...] = ()
    ) -> Authority:
        return open_authority(
            directory, project="shop", internal_domain=INTERNAL, domains=domains, now=at, addresses=addresses
        )

    return opened
