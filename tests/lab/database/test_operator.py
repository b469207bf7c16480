"""What an operator does to a database that takes over by itself, and what somebody did who should not have."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.lab.commands import Commands
from tests.lab.database.ledger import await_pair, seat_of, sql, verdict, writing
from tests.lab.database.test_takeover import await_takeover, other

pytestmark = pytest.mark.lab
_FIRST = 50_000_000_000


def await_that(what: Callable[[], bool], message: str, within_s: float = 90) -> None:
    """Until it is so; a host that does not answer says nothing."""
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            if what():
                return
        assert time.monotonic() < end, f"{message}: not within {within_s} s"
        time.sleep(0.3)


def test_a_replica_is_copied_anew_under_load_and_the_only_whole_copy_never_is(pair: Commands) -> None:
    primary = await_pair(pair)
    refused = pair.run("db", "reinit", primary, "--yes")
    assert refused.returncode == 1 and "only copy" in refused.stderr.replace("\n", " "), refused.stderr
    before = pair.ask(other(primary), "stat -c %i /var/lib/bastide/database/data")
    with writing(pair, _FIRST) as load:
        pair.do("db", "reinit", other(primary), "--yes")
        await_that(
            lambda: pair.ask(other(primary), "stat -c %i /var/lib/bastide/database/data") != before, "a new copy"
        )
        await_that(lambda: seat_of(pair, other(primary)).get("state") == "running", "the copy replicates")
    assert await_pair(pair, within_s=120) == primary
    found = verdict(pair, load, _FIRST)
    assert found["acknowledged"] > 0 and found["lost"] == 0 and found["differ"] == 0


def test_paused_nobody_takes_over_until_the_operator_tells_the_standby(pair: Commands) -> None:
    primary = await_pair(pair)
    standby = other(primary)
    pair.do("db", "pause")

    def waits() -> bool:
        said = seat_of(pair, standby)
        return said.get("role") == "replica" and not str(said["message"]).startswith("replica of")

    try:
        pair.do("lab", "kill", primary)
        await_that(waits, "the standby sees that its primary is gone, and waits as it was told")
        # Refused while the lost primary's lease may still run; no write is ever risked for haste.
        await_that(lambda: pair.run("db", "failover", "--yes").returncode == 0, "the standby does as it is told")
        await_takeover(pair, standby)
        pair.do("db", "resume")
    finally:
        pair.do("lab", "start", primary)
    assert await_pair(pair, within_s=120) == standby


def test_a_replica_that_somebody_wrote_to_is_copied_anew(pair: Commands) -> None:
    primary = await_pair(pair)
    replica = other(primary)
    # Root may write there as it is; with read_only off the keeper would kill the server, perhaps before the table is there.
    sql(pair, replica, "CREATE TABLE ledger.stray (id INT)")
    await_that(
        lambda: "stray" not in sql(pair, replica, "SHOW TABLES IN ledger"), "it holds what the primary holds"
    )
    assert await_pair(pair, within_s=120) == primary


def test_a_primary_that_is_lost_for_ever_is_given_up_and_nothing_of_it_is_dropped(pair: Commands) -> None:
    primary = await_pair(pair)
    left, alone = other(primary), 990_000_000_001
    try:
        pair.do("lab", "cut", left)
        await_that(lambda: "ALONE" in str(seat_of(pair, primary).get("message")), "the primary goes on alone")
        sql(pair, primary, f"INSERT INTO ledger.ledger (id) VALUES ({alone})")
        pair.do("lab", "kill", primary, left)
        pair.do("lab", "start", left)

        def refused() -> bool:
            said = pair.run("db", "failover", "--yes")
            return said.returncode == 1 and f"db abandon {primary}" in said.stderr.replace("\n", " ")

        await_that(refused, "no failover would be safe, and the way out is told")
        unnamed = pair.run("db", "abandon", primary)
        assert unnamed.returncode == 1 and "nothing was changed" in unnamed.stderr, unnamed.stderr
        await_that(lambda: seat_of(pair, left).get("read_only") is True, "there is a server to go on with")
        pair.do("db", "abandon", primary, "--confirm", primary)
        await_takeover(pair, left)
        sql(pair, left, f"INSERT INTO ledger.ledger (id) VALUES ({alone + 1})")
    finally:
        pair.do("lab", "start", primary, left)
    held = f"SELECT COUNT(*) FROM ledger.ledger WHERE id = {alone}"

    def waits() -> bool:
        said = seat_of(pair, primary)
        return said.get("state") == "needs-reclone" and "db reinit" in str(said["message"])

    await_that(waits, "it waits to be looked at")
    time.sleep(5)
    # While the other's keeper is late with an answer it says that, and nothing else.
    await_that(waits, "and goes on waiting")
    assert (sql(pair, primary, held).strip(), sql(pair, left, held).strip()) == ("1", "0")
    pair.do("db", "reinit", primary, "--yes")
    assert await_pair(pair, within_s=120) == left
    assert sql(pair, primary, held).strip() == "0"


def test_a_voter_that_lost_its_data_is_told_of_and_votes_again_once_it_is_let_in(pair: Commands) -> None:
    primary = await_pair(pair)
    standby = other(primary)
    refused = pair.run("db", "readmit", standby, "--yes")
    assert refused.returncode == 1 and "takes part" in refused.stderr, refused.stderr
    pair.ask(standby, "systemctl stop etcd; rm -rf /var/lib/bastide/etcd/member.etcd; systemctl start etcd")
    await_that(
        lambda: f"bastide db readmit {standby}" in pair.run("status").stdout.replace("\n", " "), "it is told of", 30
    )
    pair.do("db", "readmit", standby, "--yes")
    pair.await_healthy()
    pair.do("lab", "kill", "wit1")
    try:
        # Two of three: nothing is decided without the one that was let in.
        await_pair(pair)
        pair.do("db", "switchover")
        await_takeover(pair, standby)
    finally:
        pair.do("lab", "start", "wit1")
    assert await_pair(pair, within_s=120) == standby
    pair.await_healthy()


def test_a_new_machine_in_the_place_of_a_lost_one_stands_by_again(pair: Commands) -> None:
    primary = await_pair(pair)
    lost, held = other(primary), "SELECT COUNT(*) FROM ledger.ledger"
    pair.do("lab", "replace", lost, "--yes")
    assert pair.ask(lost, "ls /var/lib/bastide 2>/dev/null || true") == "", "it is another machine"
    assert "bastide apply" in pair.do("db", "readmit", lost, "--yes")
    pair.do("apply", "--yes")
    assert await_pair(pair, within_s=120) == primary
    assert sql(pair, lost, held) == sql(pair, primary, held)
    pair.await_healthy()


def test_where_most_voters_are_lost_for_ever_one_goes_on_and_lets_new_machines_in(pair: Commands) -> None:
    primary = await_pair(pair)
    lost, held = other(primary), "SELECT COUNT(*) FROM ledger.ledger"
    before = sql(pair, primary, held)
    pair.do("lab", "replace", lost, "wit1", "--yes")
    refused = pair.run("apply", "--yes", timeout_s=300)
    assert refused.returncode == 1 and "bastide db force-quorum" in refused.stderr.replace("\n", " "), (
        refused.stderr
    )
    assert "force-quorum" in pair.run("db", "readmit", lost, "--yes").stderr.replace("\n", " ")
    unnamed = pair.run("db", "force-quorum", primary)
    assert unnamed.returncode == 1 and "nothing was changed" in unnamed.stderr, unnamed.stderr
    pair.do("db", "force-quorum", primary, "--confirm", primary)
    await_takeover(pair, primary)
    again = pair.run("db", "force-quorum", primary, "--confirm", primary)
    assert again.returncode == 1 and "most voters agree" in again.stderr, again.stderr
    for host in (lost, "wit1"):
        assert "bastide apply" in pair.do("db", "readmit", host, "--yes")
        pair.do("apply", "--only", host, "--yes", timeout_s=300)
    assert await_pair(pair, within_s=120) == primary
    assert before == sql(pair, lost, held) == sql(pair, primary, held)
    pair.await_healthy()
    pair.do("lab", "kill", "wit1")
    try:
        pair.do("db", "switchover")  # two of three: it takes the new machine's vote
        await_takeover(pair, lost)
    finally:
        pair.do("lab", "start", "wit1")
    assert await_pair(pair, within_s=120) == lost
    pair.await_healthy()
