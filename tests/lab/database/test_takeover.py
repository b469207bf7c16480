"""The primary is lost in every way, under a load of writes: no acknowledged write is lost, and never do two write.

Figures are printed (`pytest -s`); only what must hold on any machine is asserted.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable

import pytest

from tests.lab.commands import Commands
from tests.lab.database.ledger import DATABASES, await_pair, seat_of, url_of, verdict, writing
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
_IDS = itertools.count(1)
_KILL, _STOP = (f"kill -{s} $(cat /run/mysqld/mysqld.pid)" for s in ("KILL", "STOP"))


def other(host: str) -> str:
    return DATABASES[1 - DATABASES.index(host)]


def await_takeover(commands: Commands, host: str, within_s: float = 60) -> None:
    """Until that host is the primary and takes writes."""
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(AssertionError):
            said = seat_of(commands, host)
            if said.get("role") == "primary" and said.get("read_only") is False:
                return
        assert time.monotonic() < end, f"{host} did not take over within {within_s} s: {seat_of(commands, host)}"
        time.sleep(0.1)


def switch_over(commands: Commands) -> None:
    """In order. A standby that lags just then has it refused, and all stays as it was: it is ordered again."""

    def done() -> bool:
        said = commands.run("db", "switchover")
        words = " ".join(said.stderr.split())
        stays = ("CloseAndWait failed", "does not stand by", "does not answer here")
        assert said.returncode == 0 or any(why in words for why in stays), words
        return said.returncode == 0

    wait_until(done, every_s=0.5)


def lose(
    commands: Commands, how: str, fault: Callable[[str], object], mend: Callable[[str], object] = lambda _: None
) -> None:
    """A takeover from beginning to end: the fault, the other host as primary, the lost one as its standby."""
    await_pair(commands)
    first = next(_IDS) * 100_000_000
    with writing(commands, first) as load:
        # As it is under this load: a standby that a busy computer held up has to be there again to take over.
        primary = await_pair(commands)
        fault(primary)
        await_takeover(commands, other(primary))
        time.sleep(1)
        mend(primary)
    # Without the load: with each received write on disk at once, a slow machine catches up no faster than they write.
    assert await_pair(commands, within_s=120) == other(primary), "the lost primary comes back as the standby"
    found = verdict(commands, load, first)
    print(f"{how}: {load.ledger} {found}")
    assert found["acknowledged"] > 0 and found["lost"] == 0 and found["refused_but_present"] == 0
    assert found["differ"] == 0, "both servers hold the same writes"
    assert found["both_writable_s"] == 0, "never do two take writes"


def test_server_is_killed(pair: Commands) -> None:
    lose(pair, "kill -9", lambda host: pair.ask(host, _KILL))


def test_server_is_stopped(pair: Commands) -> None:
    lose(pair, "SIGSTOP", lambda host: pair.ask(host, _STOP))


def test_host_loses_power(pair: Commands) -> None:
    lose(pair, "host lost", lambda host: pair.do("lab", "kill", host), lambda host: pair.do("lab", "start", host))


def test_host_is_cut_off(pair: Commands) -> None:
    lose(pair, "cut off", lambda host: pair.do("lab", "cut", host), lambda host: pair.do("lab", "heal", host))


def test_host_is_paused(pair: Commands) -> None:
    """What a hypervisor may do. When it runs again, its fence must come before its server's next answer."""
    lose(
        pair, "host paused", lambda host: pair.do("lab", "freeze", host), lambda host: pair.do("lab", "thaw", host)
    )


def test_standby_that_lost_power_under_load_is_sent_what_it_missed_at_once(pair: Commands) -> None:
    """The primary's thread that had sent to it waits on a connection that nobody ends, and a replica has but one: without
    a limit of the kernel it came back a minute later (its `net_write_timeout`)."""
    primary, first = await_pair(pair), next(_IDS) * 100_000_000
    with writing(pair, first):
        pair.do("lab", "kill", other(primary))
        time.sleep(4)
        pair.do("lab", "start", other(primary))
    assert await_pair(pair, within_s=40) == primary


def test_planned_switchover_loses_nothing(pair: Commands) -> None:
    lose(pair, "switchover", lambda _: switch_over(pair))


def test_without_a_standby_a_switchover_is_refused_and_says_why(pair: Commands) -> None:
    primary = await_pair(pair)
    pair.do("lab", "kill", other(primary))
    try:

        def forgotten() -> bool:
            said = json.loads(pair.run("db", "status", "--json").stdout)
            # Without an answer of the primary's keeper nobody is said to stand by.
            return said["primary"] == primary and not said["members"][DATABASES.index(other(primary))]["sync"]

        wait_until(forgotten)
        refused = pair.run("db", "switchover")
        assert refused.returncode == 1 and "acknowledged writes would be lost" in refused.stderr, refused.stderr
    finally:
        pair.do("lab", "start", other(primary))
    assert await_pair(pair, within_s=120) == primary


def test_all_lose_power_and_come_back_in_the_wrong_order(pair: Commands) -> None:
    primary, first = await_pair(pair), next(_IDS) * 100_000_000
    with writing(pair, first, after_s=0) as load:
        time.sleep(1)
    pair.do("lab", "kill", *DATABASES, "wit1")
    for host in ("wit1", other(primary), primary):
        pair.do("lab", "start", host)
    await_pair(pair, within_s=120)
    found = verdict(pair, load, first)
    assert found["acknowledged"] > 0 and found["lost"] == 0 and found["differ"] == 0


_HOLD = """
import json, pymysql, sys, time
from urllib.parse import unquote, urlsplit
url = urlsplit(json.loads(sys.stdin.readline())["url"])
def connect():
    end = time.monotonic() + 60
    while True:
        try:
            return pymysql.connect(
                host=url.hostname, port=url.port, user=unquote(url.username), password=unquote(url.password))
        except pymysql.err.MySQLError:  # its proxy has yet to see that the pair is well
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
held = connect()
def ask():
    try:
        held.ping(reconnect=False)
    except pymysql.err.MySQLError:
        return "cut"
    return "open"
for line in sys.stdin:
    end = time.monotonic() + float(line)
    while ask() == "open" and time.monotonic() < end:
        time.sleep(0.1)
    print(ask(), flush=True)
"""


def test_a_session_that_a_reloaded_proxy_forgot_is_cut_when_another_becomes_primary(pair: Commands) -> None:
    primary = await_pair(pair)
    pair.ask("app1", f"cat >/run/hold.py <<'END'\n{_HOLD}\nEND")
    with pair.start("exec", "app1", "--", "python3", "/run/hold.py") as held:
        assert held.stdin is not None and held.stdout is not None

        def state(within_s: float) -> str:
            assert held.stdin is not None and held.stdout is not None
            print(within_s, file=held.stdin, flush=True)
            return held.stdout.readline().strip()

        print(json.dumps({"url": url_of(pair)}), file=held.stdin, flush=True)
        assert state(0) == "open"
        pair.ask("app1", "systemctl reload sqlproxy")
        assert state(2) == "open", "a reload keeps sessions: the control"
        switch_over(pair)
        assert state(60) == "cut"
        held.stdin.close()
    assert await_pair(pair, within_s=120) == other(primary)
