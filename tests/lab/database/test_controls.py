"""Control experiments: with a safeguard taken away on the machines, the ledger must show what it is there for.

That it shows nothing of the kind while every safeguard is in place is what the other tests of this folder say.
"""

from __future__ import annotations

import itertools

import pytest

from tests.lab.commands import Commands
from tests.lab.database.ledger import DATABASES, await_pair, sql, verdict, writing
from tests.lab.database.tampering import NO_FENCE, NO_REVOCATION, NO_SEMI_SYNC, Edit, add_to, staying, tampered
from tests.lab.database.test_operator import await_that
from tests.lab.database.test_takeover import await_takeover, other

pytestmark = pytest.mark.lab
_IDS = itertools.count(900)
_STAYS = 50_000_000
"""Among the ids of one experiment: where those begin of whoever stays with the old primary."""

# The replica hears nothing more; some writes later (if any get through) the server dies. Not after long: what hears
# nothing for 5 s (slave_net_timeout) stands by no more.
_HOLD_BACK_AND_KILL = """
rows() { mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -N -B -e 'SELECT COUNT(*) FROM ledger.ledger'; }
wanted=$(($(rows) + 20))
nft 'table inet control { chain out { type filter hook output priority -310; tcp sport 3306 counter drop; }; }'
end=$(($(date +%s) + 3))
while [ "$(rows)" -lt "$wanted" ] && [ "$(date +%s)" -lt "$end" ]; do sleep 0.1; done
kill -KILL "$(cat /run/mysqld/mysqld.pid)"
"""
# Only once another has taken over: the kernel goes on sending what the dead server had written to its connections.
_LET_GO = "nft delete table inet control 2>/dev/null || true"


def test_without_semi_sync_acknowledged_writes_are_lost(pair: Commands) -> None:
    """The replica hears nothing more, writes go on, the primary's server dies."""
    await_pair(pair)
    with tampered(pair, *[(host, NO_SEMI_SYNC) for host in DATABASES]):
        primary, first = await_pair(pair), next(_IDS) * 100_000_000
        sql(pair, primary, "SET GLOBAL rpl_semi_sync_master_enabled = OFF")
        with writing(pair, first) as load:
            assert await_pair(pair) == primary
            try:
                pair.ask(primary, _HOLD_BACK_AND_KILL)
                await_takeover(pair, other(primary))
            finally:
                pair.ask(primary, _LET_GO)
        await_pair(pair, within_s=120)
        found = verdict(pair, load, first)
    await_pair(pair)
    print(f"without semi-sync: {load.ledger} {found}")
    assert found["lost"] > 0 and found["both_writable_s"] == 0


_WROTE = 'SELECT @@gtid_binlog_pos LIKE CONCAT("0-", @@server_id, "-%")'


@pytest.mark.parametrize(
    ("missing", "two_write", "loses"),
    [
        pytest.param((), False, False, id="nothing"),
        pytest.param((NO_FENCE,), True, False, id="fence"),
        pytest.param((NO_FENCE, NO_REVOCATION), True, True, id="fence-and-revocation"),
    ],
)
def test_the_keeper_hangs_and_somebody_stays_with_its_server(
    pair: Commands, missing: tuple[Edit, ...], two_write: bool, loses: bool
) -> None:
    """Fenced, the server is dead before another one writes. Without the fence two take writes; and still nothing that was
    acknowledged is lost, for the new primary acknowledges nothing more: unless that is taken away, too. A keeper that goes
    on afterwards knows an old seat, and must not put it in the place of the new one."""
    await_pair(pair)
    with tampered(pair, *[(host, edit) for host in DATABASES for edit in missing]):
        primary, first = await_pair(pair), next(_IDS) * 100_000_000
        with writing(pair, first) as load, staying(pair, primary, first + _STAYS) as writer:
            assert await_pair(pair) == primary
            pair.ask(primary, "systemctl kill -s STOP keeper")
            try:
                await_takeover(pair, other(primary))
                await_that(lambda: sql(pair, other(primary), _WROTE) == "1", "the new primary writes")
            finally:
                pair.ask(primary, "systemctl kill -s CONT keeper")
            told = writer.communicate(timeout=60)
        add_to(load, *told)
        await_pair(pair, within_s=120)
        found = verdict(pair, load, first)
    await_pair(pair)
    print(f"without {[edit[0] for edit in missing]}: {load.ledger} {found}")
    assert found["acknowledged"] > 0
    assert (found["both_writable_s"] > 0) == two_write
    assert (found["lost"] > 0) == loses
