"""Most votes are lost while both databases are well: by default the primary stops; where the spec opts in it goes on, for
as long as its standby promises not to take over.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.lab.commands import Commands
from tests.lab.database.ledger import WRITERS, await_pair, sql, verdict, writing
from tests.lab.database.test_operator import await_that
from tests.lab.database.test_takeover import other

pytestmark = pytest.mark.lab
_FIRST = 80_000_000_000
LEASE_S = 3.0


@contextlib.contextmanager
def going_on(pair: Commands) -> Iterator[None]:
    """The spec opts in while the block runs."""
    before = pair.spec.read_text()
    assert "  failover: automatic\n" in before
    pair.spec.write_text(
        before.replace("  failover: automatic\n", "  failover: automatic\n  without_quorum: go_on\n")
    )
    try:
        pair.do("apply", "--yes")
        yield
    finally:
        pair.spec.write_text(before)
        pair.do("apply", "--yes")


@contextlib.contextmanager
def without_votes(pair: Commands, *voters: str) -> Iterator[None]:
    """Their etcd is stopped."""
    try:
        for voter in voters:
            pair.ask(voter, "systemctl stop etcd")
        yield
    finally:
        for voter in voters:
            pair.ask(voter, "systemctl start etcd")


def serves(pair: Commands, host: str) -> bool:
    return pair.ask(host, "pidof mariadbd >/dev/null && echo yes || true") == "yes"


def test_without_votes_the_primary_is_stopped(pair: Commands) -> None:
    primary = await_pair(pair)
    with without_votes(pair, other(primary), "wit1"):
        await_that(lambda: not serves(pair, primary), "its fence stops the server")
    assert await_pair(pair, within_s=120)


def test_where_the_spec_opts_in_it_goes_on_by_its_standby_s_word_and_no_longer(pair: Commands) -> None:
    await_pair(pair)
    with going_on(pair):
        primary = await_pair(pair, within_s=120)
        with writing(pair, _FIRST) as load, without_votes(pair, other(primary), "wit1"):
            lost_s = time.monotonic()
            time.sleep(4 * LEASE_S)
            assert serves(pair, primary), "four leases later"
            rows = "SELECT COUNT(*) FROM ledger.ledger"
            before = int(sql(pair, primary, rows))
            # With one row more than there are writers, one of them has been told so and has gone on.
            await_that(lambda: int(sql(pair, primary, rows)) > before + WRITERS, "writes go on without votes")
            silenced_s = time.monotonic()
            pair.ask(other(primary), "systemctl stop keeper.socket keeper.service")
            try:
                await_that(lambda: not serves(pair, primary), "without the promise its fence stops the server")
            finally:
                pair.ask(other(primary), "systemctl start keeper.socket keeper.service")
        await_pair(pair, within_s=120)
        found = verdict(pair, load, _FIRST)
        late = [
            end for _, said, _, end in load.ledger.told if said == "acknowledged" and lost_s + 3 * LEASE_S < end
        ]
        print(f"without votes: {load.ledger} {found}, {len(late)} acknowledged after three leases")
        assert [end for end in late if end < silenced_s], "writes went on without votes"
        assert found["lost"] == 0 and found["differ"] == 0 and found["both_writable_s"] == 0
    await_pair(pair, within_s=120)
