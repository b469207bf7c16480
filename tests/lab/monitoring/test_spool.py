"""A host that is cut off from its monitor keeps what it has to say: all of an hour, and when the disk's share is full
the newest of it, and says how much is lost."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.lab.monitoring.remote_write import write_series
from tests.lab.monitoring.watched import MONITOR, WEB, Watched, total, wait_for

pytestmark = pytest.mark.lab

HOUR = 3600
"""One record a second, as a host that has little to say."""
SENT = 20_000
BOUND = 200_000
_SETTINGS, _DROP_IN = "/run/agent-settings.json", "/run/systemd/system/bastide-agent.service.d/settings.conf"


@contextlib.contextmanager
def severed(watched: Watched, host: str) -> Iterator[None]:
    """The host reaches no monitor, and everybody else."""
    rules = (
        "add table inet severed\n"
        "add chain inet severed out { type filter hook output priority -300; }\n"
        "add rule inet severed out tcp dport 8490 drop\n"
    )
    watched.commands.ask(host, f"nft -f - <<'END'\n{rules}END")
    try:
        yield
    finally:
        watched.commands.ask(host, "nft delete table inet severed")


@contextlib.contextmanager
def no_flood(watched: Watched, host: str, **changed: int) -> Iterator[None]:
    """The agent takes however many lines are of one second, as a journal that was busy stamps them; and as given."""
    change = (
        "import json\n"
        "found = json.load(open('/etc/bastide/agent/settings.json'))\n"
        f"found |= {{'max_logs_per_second': 1000000}} | {changed}\n"
        f"json.dump(found, open('{_SETTINGS}', 'w'))\n"
    )
    watched.commands.ask(
        host,
        f"python3 - <<'END'\n{change}END\n"
        f"mkdir -p $(dirname {_DROP_IN})\n"
        f"printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/python3 -I /etc/bastide/agent/agent.pyz run {_SETTINGS}\\n'"
        f" >{_DROP_IN}\nsystemctl daemon-reload\nsystemctl restart bastide-agent",
    )
    try:
        yield
    finally:
        watched.commands.ask(host, f"rm {_DROP_IN}\nsystemctl daemon-reload\nsystemctl restart bastide-agent")


def write_marks(watched: Watched, host: str, mark: str, number: int, pause_s: float) -> None:
    """So many lines in the host's journal, each with a number and what cannot be compressed."""
    program = (
        "import os, sys, time\n"
        f"for n in range({number}):\n"
        f"    print('{mark}-%d-end' % n, os.urandom(24).hex(), flush=True)\n"
        f"    time.sleep({pause_s})\n"
    )
    watched.commands.ask(host, f"cat >/run/marks.py <<'END'\n{program}END")
    # The marks' own unit is waited for, so that all of them are in the journal then.
    watched.commands.ask(
        host,
        f"systemd-run -q --wait --collect --unit=marks-{mark} -p LogRateLimitIntervalSec=0 python3 /run/marks.py",
        timeout_s=240,
    )


def stored(watched: Watched, host: str, mark: str) -> list[int]:
    """Numbers of the marks in the store, as often as they are there."""
    found = (
        re.search(rf"{mark}-(\d+)-end", r["message"]) for r in watched.records(mark, host) if r["kind"] == "log"
    )
    return sorted(int(one[1]) for one in found if one)


def test_an_hour_without_a_monitor_costs_no_record_and_no_count(watched: Watched) -> None:
    ask, host, mark = watched.commands.ask, "web1", uuid.uuid4().hex[:12]
    route = {"route": "/static/"}
    before, shown = watched.requests(WEB, **route), watched.state()["counted"]["web"]["/static/"]
    with no_flood(watched, host):
        with severed(watched, host):
            write_marks(watched, host, mark, HOUR // 2, 0.004)
            ask(host, "systemctl kill --signal=KILL bastide-agent")
            said = ask("client", f"ab -q -k -n {SENT} -c 8 https://shop.test/static/1k.txt", timeout_s=120)
            assert f"Complete requests:      {SENT}\n" in said and "Failed requests:        0" in said, said
            ask(host, "systemctl kill --signal=KILL bastide-agent")
            write_marks(watched, host, f"{mark}b", HOUR // 2, 0.004)
            assert watched.host(host)["state"] in ("stale", "dead")
            assert not stored(watched, host, mark), "it was cut off indeed"
        healed = time.monotonic()
        wait_for(lambda: watched.host(host)["state"], lambda state: state == "fresh", within_s=60)
        for which in (mark, f"{mark}b"):
            numbers = wait_for(
                lambda which=which: stored(watched, host, which),  # type: ignore[misc]
                lambda seen: len(seen) >= HOUR // 2,
                within_s=180,
            )
            assert numbers == list(range(HOUR // 2)), "each once"
        print(f"\n{HOUR} records are there {time.monotonic() - healed:.1f} s after the monitor is")
        wait_for(lambda: watched.requests(WEB, **route) - before, lambda n: n >= SENT, within_s=60)
        assert watched.requests(WEB, **route) - before == SENT
        assert wait_for(
            lambda: watched.state()["counted"]["web"]["/static/"] - shown, lambda n: n >= SENT, within_s=60
        ) == SENT  # fmt: skip
        assert total(watched.agent(host), "bastide_agent_spool_dropped_total") == 0
    # What Prometheus holds never goes back, and has no two samples of one moment: nothing was shipped twice.
    for result in watched.query(f'nginx_http_requests_total{{host="{host}",service="web",route="/static/"}}[10m]'):
        moments, counted = [float(t) for t, _ in result["values"]], [float(v) for _, v in result["values"]]
        assert all(a < b for a, b in itertools.pairwise(moments))
        assert all(a <= b for a, b in itertools.pairwise(counted))


def test_a_full_spool_lets_the_oldest_go_and_says_how_many(watched: Watched) -> None:
    ask, host, mark, written = watched.commands.ask, "app2", uuid.uuid4().hex[:12], 12_000
    with no_flood(watched, host, spool_bytes=BOUND):
        with severed(watched, host):
            read = total(watched.agent(host), "bastide_agent_journal_entries_total")
            write_marks(watched, host, mark, written, 0.0008)
            # What is read after the cut would push out records in the midst of those that are being delivered.
            wait_for(
                lambda: total(watched.agent(host), "bastide_agent_journal_entries_total") - read,
                lambda entries: entries >= written,
                within_s=120,
            )
            lost = wait_for(
                lambda: int(total(watched.agent(host), "bastide_agent_spool_dropped_total")), bool, within_s=30
            )
            # Bounded, and used; between a write and its bound there may be more for a moment.
            on_disk = wait_for(
                lambda: int(ask(host, "cat /var/lib/bastide-agent/spool/*.spool | wc -c")),
                lambda size: BOUND / 2 < size <= BOUND,
                within_s=30,
            )
        wait_for(
            lambda: stored(watched, host, mark), lambda seen: bool(seen) and seen[-1] == written - 1, within_s=180
        )
        # A busy host may drop some more while it catches up, so both are read until they are one number.
        lost, said = wait_for(
            lambda: (
                int(total(watched.agent(host), "bastide_agent_spool_dropped_total")),
                max(
                    (r["fields"]["dropped_since_start"] for r in watched.records("records were dropped", host)),
                    default=0,
                ),
            ),
            lambda both: both[0] == both[1],
            within_s=60,
        )
        numbers = stored(watched, host, mark)
    print(f"\n{written} written, {len(numbers)} stored, {lost} dropped and said, {on_disk} bytes on disk")
    assert len(set(numbers)) == len(numbers), "each once"
    # A batch that was under way when the host was cut off waits there, and arrives with the network.
    gaps = [n for before, n in itertools.pairwise(numbers) if n != before + 1]
    assert len(gaps) <= 1, gaps
    newest = gaps[-1] if gaps else numbers[0]
    assert numbers[-(written - newest) :] == list(range(newest, written)), "the newest, without a gap"
    assert said == lost, "all that was lost was said"
    # What else the host had to say in that time was lost with them.
    assert written - len(numbers) <= lost <= written - len(numbers) + 500


def test_figures_of_an_hour_ago_are_taken_after_figures_of_now(watched: Watched) -> None:
    """After an absence of the monitor hosts catch up at different speeds."""
    name = f"caught_up_{uuid.uuid4().hex[:8]}"
    now = int(time.time())
    steps = range(now - HOUR - 600, now, 10)
    labels = {"__name__": name, "host": "web1", "instance": "web1"}
    assert set(write_series(watched, "web1", labels, [now, *steps])) == {"204"}
    count = f'count_over_time({name}{{host="web1"}}[2h])'
    assert wait_for(lambda: watched.number(count), lambda n: n >= len(steps) + 1, within_s=60) == len(steps) + 1
    assert MONITOR not in watched.query(f"{name}")[0]["metric"].values()
