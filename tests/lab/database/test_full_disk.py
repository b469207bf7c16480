"""Disks that fill up: real ones, of a lab whose machines have disks of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.commands import Commands
from tests.lab.database.conftest import raised
from tests.lab.database.ledger import DATABASES, await_pair
from tests.lab.database.tampering import NO_ROOM, tampered

pytestmark = [pytest.mark.lab, pytest.mark.alone]


@pytest.fixture(scope="module")
def small() -> Iterator[Commands]:
    """As the other tests' pair, each machine on a disk of 3 GB."""
    with raised("--disk", "3G") as commands:
        yield commands


def drilled(small: Commands, scenario: str) -> dict[str, Any]:
    await_pair(small)
    done = small.run("drill", scenario, "--json", timeout_s=400)
    assert done.returncode == 0, done.stderr + done.stdout
    (row,) = json.loads(done.stdout)["scenarios"]
    print(
        f"\n{scenario}: no writes for {row['outage_write_s']} s, {row['acknowledged']} acknowledged, {row['lost']} lost"
    )
    assert (row["verdict"], row["lost"], row["duplicated"]) == ("met", 0, 0), row
    return dict(row)


def test_machines_have_disks_of_their_own_and_keep_them(small: Commands) -> None:
    assert "keeps the disk" in small.run("up", "--disk", "5G").stderr
    size = int(small.ask("db1", "df --output=size -B1 / | tail -1"))
    assert 2 << 30 < size <= 3 << 30


def test_a_primary_without_room_leaves_to_the_standby(small: Commands) -> None:
    row = drilled(small, "full:primary")
    assert row["evidence"]["before"]["primary"] != row["evidence"]["after"]["primary"]
    await_pair(small)


def test_without_that_rule_every_write_hangs(small: Commands) -> None:
    """The control: MariaDB does not fail for want of room, it waits."""
    primary = await_pair(small)
    with tampered(small, *[(host, NO_ROOM) for host in DATABASES]):
        await_pair(small)
        done = small.run("drill", "full:primary", "--json", timeout_s=400)
    assert done.returncode == 3, done.stderr + done.stdout
    (row,) = json.loads(done.stdout)["scenarios"]
    print(
        f"\nwithout the rule: no writes for {row['outage_write_s']} s, {row['lost']} of {row['acknowledged']} lost"
    )
    assert row["outage_write_s"] > 20 and row["lost"] == 0, row
    assert await_pair(small, within_s=120) == primary, "nobody took over"
