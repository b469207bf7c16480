"""A running service changes: one after the other, drained, judged from outside, and undone when it gets worse.

Purchases (POSTs, which nobody repeats) go on meanwhile; figures are printed (`pytest -s`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.lab.commands import Commands, process_environment
from tests.lab.load import steady_load
from tests.lab.rollout.conftest import DOMAIN, spec_with
from tests.waiting import wait_for

pytestmark = pytest.mark.lab


def purchases(pairs: Commands) -> Any:
    """POSTs go on while the block runs."""
    return steady_load(pairs, host=DOMAIN, path="/buy", method="POST", body='{"number": NUMBER}')


def applied(pairs: Commands, *words: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Apply; each host's result, and what was said."""
    done = pairs.run("apply", "--json", *words)
    return {host["name"]: host for host in json.loads(done.stdout)["hosts"]}, done.stderr


def batches(said: str) -> list[str]:
    return [line.partition(": ")[2] for line in said.splitlines() if line.strip().startswith("batch ")]


def serving(pairs: Commands, balancer: str) -> list[str]:
    """Web servers that get requests on a balancer, by HAProxy's own word."""
    ask = (
        "echo 'show servers state web' | socat stdio /run/haproxy/admin.sock | awk 'NR>2 && NF {print $4, $6, $7}'"
    )
    rows = [row.split() for row in pairs.ask(balancer, ask).splitlines()]
    return [name for name, up, admin in rows if up == "2" and not int(admin) & 9]


def await_serving(pairs: Commands, *names: str) -> None:
    """Until both balancers send requests to these web servers and to no other: `status` does not ask them."""
    wait_for(lambda: [serving(pairs, lb) for lb in ("lb1", "lb2")], lambda seen: seen == [list(names)] * 2)


def test_a_restart_that_nobody_drained_fails_purchases(pairs: Commands) -> None:
    """The control: the load can see a restart, or the tests below would prove nothing."""
    with purchases(pairs) as load:
        for _ in range(3):
            pairs.ask("app1", "systemctl restart app.service")
            time.sleep(0.5)
    print(f"\nrestarted by hand: {load.ledger}")
    assert load.ledger.failed
    pairs.await_healthy()


def test_applications_restart_one_after_the_other_and_no_purchase_fails(pairs: Commands) -> None:
    for old, new in (("hello", "welcome"), ("welcome", "hello")):
        with spec_with(pairs, **{old: new} if old == "hello" else {}), purchases(pairs) as load:
            hosts, said = applied(pairs)
        print(f"\n{old} becomes {new}: {load.ledger}")
        assert batches(said) == ["app1", "app2"], said
        assert [hosts[name]["result"] for name in ("app1", "app2")] == ["changed", "changed"], said
        assert not load.ledger.failed, load.ledger
    assert pairs.ask("app1", "ls /run/bastide/drain 2>/dev/null || true") == ""


def test_web_servers_are_drained_at_every_balancer_before_they_restart(pairs: Commands) -> None:
    """More connections need more open files, which is a setting of nginx's unit, on application hosts too.

    Those drain themselves: they wait until web servers keep no connection that a purchase could be sent into.
    """
    changed = {"rollout:\n": "web: {worker_connections: 20000}\n\nrollout:\n"}
    for change in (changed, {}):
        marks = {lb: pairs.ask(lb, "date +%s.%N") for lb in ("lb1", "lb2")}
        with spec_with(pairs, **change), purchases(pairs) as load:
            _, said = applied(pairs)
        print(f"\nnginx restarts everywhere: {load.ledger}")
        assert batches(said) == ["app1", "app2", "web1", "web2"], said
        assert not load.ledger.failed, load.ledger
        for balancer, since in marks.items():
            log = pairs.ask(balancer, f"journalctl -u haproxy --since @{since} -o cat")
            drained = [line for line in log.splitlines() if "DRAIN" in line.upper()]
            assert any("web/web1" in line for line in drained) and any("web/web2" in line for line in drained), log
        await_serving(pairs, "web1", "web2")


_REFUSE_EVERY_OTHER = """
table inet test {
  chain input {
    type filter hook input priority -200;
    tcp dport 9443 tcp flags & (syn | ack) == syn numgen inc mod 2 0 counter reject with tcp reset
  }
}
"""


def test_a_drained_host_that_refuses_a_moment_later_fails_no_purchase(pairs: Commands) -> None:
    """What a purchase meets in the instant in which a drained host's nginx stops: it is told to go elsewhere, asks the
    next host in order, which may be the same, and is refused. Here for seconds: every other connection is refused.
    """
    flag = "mkdir -p /run/bastide/drain; chmod 755 /run/bastide /run/bastide/drain; touch /run/bastide/drain/app"
    pairs.ask("app1", f"{flag}\nnft -f - <<'END'\n{_REFUSE_EVERY_OTHER}END")
    try:
        with purchases(pairs) as load:
            time.sleep(12)
        refused = int(pairs.ask("app1", "nft list table inet test | sed -n 's/.*packets \\([0-9]*\\).*/\\1/p'"))
    finally:
        pairs.ask("app1", "nft delete table inet test; rm -rf /run/bastide/drain")
    print(f"\ndrained, and {refused} connections refused: {load.ledger}")
    assert refused > 10, "the control: nothing was refused, nothing was seen"
    assert not load.ledger.failed, load.ledger
    pairs.await_healthy()


def holder(pairs: Commands) -> str:
    """The balancer that has the virtual address."""
    found = wait_for(lambda: [lb for lb in ("lb1", "lb2") if _holds(pairs, lb)], lambda names: len(names) == 1)
    return found[0]


def _holds(pairs: Commands, balancer: str) -> bool:
    return pairs.ask(balancer, "ip -o address show dev pub0 | grep -c /32 || true").strip() != "0"


def test_a_balancer_that_dies_fails_purchases(pairs: Commands) -> None:
    """The control: the load can see that connections break, or the test below would prove nothing."""
    with purchases(pairs) as load:
        for _ in range(3):
            pairs.ask(holder(pairs), "systemctl kill --signal=KILL haproxy.service")
            time.sleep(0.5)
    print(f"\nkilled: {load.ledger}")
    assert load.ledger.failed or load.ledger.repeated
    pairs.await_healthy()


def test_a_balancer_hands_over_before_it_restarts_and_no_purchase_fails(pairs: Commands) -> None:
    """Fewer connections need fewer open files, which is a setting of HAProxy's unit: both restart, the holder last."""
    pairs.await_healthy()
    changed = {"rollout:\n": "balancer: {max_connections: 6000}\n\nrollout:\n"}
    for change in (changed, {}):
        had = holder(pairs)
        with spec_with(pairs, **change), purchases(pairs) as load:
            _, said = applied(pairs)
        print(f"\nHAProxy restarts on both, the holder {had} last: {load.ledger}")
        assert batches(said) == [*({"lb1", "lb2"} - {had}), had], said
        assert not load.ledger.failed, load.ledger
        assert holder(pairs) != had
        log = pairs.ask(had, "journalctl -u haproxy -o cat")
        assert "handed over with" in log, log
        for balancer in ("lb1", "lb2"):
            assert "handover" not in pairs.ask(balancer, "nft list tables"), "the rule went with the address"


def test_what_the_balancers_see_worse_than_before_is_undone(pairs: Commands) -> None:
    """nginx likes the snippet and answers its own host; only who asks as the balancers do finds out."""
    bad = "web:\n  snippets: {server: 'if ($http_user_agent ~ bastide-balancer) { return 503; }'}\n\nrollout:\n"
    before = {host["name"]: host["generation"] for host in pairs.status()["hosts"]}
    # A balancer asks a server that is well once a second, and believes the second bad answer.
    with spec_with(pairs, **{"rollout:\n": bad, "settle: 1s": "settle: 4s"}), purchases(pairs) as load:
        hosts, said = applied(pairs)
    print(f"\nundone: {load.ledger}")
    assert (hosts["web1"]["result"], hosts["web1"]["phase"]) == ("failed", "health"), said
    assert "does not send requests to web1 any more" in hosts["web1"]["message"]
    assert any("web/web1" in line and "503" in line for line in hosts["web1"]["lines"]), hosts["web1"]
    assert "previous generation is back" in said
    assert hosts["web2"]["result"] == "not_reached"
    assert not load.ledger.failed, load.ledger
    assert {host["name"]: host["generation"] for host in pairs.status()["hosts"]} == before
    assert pairs.run("plan", "--exit-code").returncode == 0
    await_serving(pairs, "web1", "web2")


def test_a_redundant_host_that_is_away_is_left_behind_only_if_that_is_allowed(pairs: Commands) -> None:
    pairs.do("lab", "kill", "app2")
    try:
        with spec_with(pairs, hello="welcome"):
            hosts, said = applied(pairs)
            assert hosts["app2"]["result"] == "failed" and hosts["app1"]["result"] == "not_reached", said
            hosts, said = applied(pairs, "--allow-stale")
            assert hosts["app2"]["result"] == "stale" and hosts["app1"]["result"] == "changed", said
            assert "app2 is left behind" in said
            away = next(host for host in pairs.status()["hosts"] if host["name"] == "app2")
            assert away["stale"] and not away["healthy"]
            pairs.do("lab", "start", "app2")
            late = next(host for host in pairs.status()["hosts"] if host["name"] == "app2")
            assert late["stale"] and not late["healthy"] and "stale" in late["reason"], late
            hosts, said = applied(pairs)
            assert (hosts["app1"]["result"], hosts["app2"]["result"]) == ("unchanged", "changed"), said
        caught_up = next(host for host in pairs.await_healthy()["hosts"] if host["name"] == "app2")
        assert not caught_up["stale"]
    finally:
        pairs.do("lab", "start", "app2")
        applied(pairs)


def test_a_tier_that_is_away_as_a_whole_is_never_left_behind(pairs: Commands) -> None:
    pairs.do("lab", "kill", "app1", "app2")
    try:
        hosts, said = applied(pairs, "--allow-stale")
        assert {hosts["app1"]["result"], hosts["app2"]["result"]} == {"failed"}, said
        assert "may not be left behind: no other app answers" in said
    finally:
        pairs.do("lab", "start", "app1", "app2")
        pairs.await_healthy()


_DRAINER = """
import sys, time
from pathlib import Path
from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.transport.ssh import open_conversation
target = choose_target(open_project(Path(sys.argv[1])), "lab")
with open_conversation(target.endpoints["lb1"]) as talk:
    talk.request("drain", socket="/run/haproxy/admin.sock", backend="web", server="web1", wait_s=1.0)
    print("drained", flush=True)
    time.sleep(60)
"""


def test_a_drained_server_comes_back_when_its_controller_is_killed(pairs: Commands) -> None:
    await_serving(pairs, "web1", "web2")  # the last one is not drained, and the applications were away
    with subprocess.Popen(
        [sys.executable, "-c", _DRAINER, str(pairs.spec)],
        stdout=subprocess.PIPE,
        text=True,
        env=process_environment(),
    ) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == "drained\n"
        assert serving(pairs, "lb1") == ["web2"]
        timers = pairs.ask("lb1", "systemctl list-timers --all --no-legend 'bastide-undrain-*'")
        assert "bastide-undrain-web1" in timers, "the host itself stands behind it"
        os.kill(controller.pid, signal.SIGKILL)
    began = time.monotonic()
    await_serving(pairs, "web1", "web2")  # long before the host's timer would have done it
    print(f"\nback {time.monotonic() - began:.1f} s after the controller was killed")


def test_the_last_server_is_not_drained(pairs: Commands) -> None:
    pairs.ask("web2", "systemctl stop nginx")
    try:
        await_serving(pairs, "web1")
        with spec_with(pairs, **{"rollout:\n": "web: {worker_connections: 20000}\n\nrollout:\n"}):
            hosts, said = applied(pairs, "--only", "web1")
        assert (hosts["web1"]["result"], hosts["web1"]["phase"]) == ("failed", "drain"), said
        assert "only server that gets requests" in said
    finally:
        pairs.ask("web2", "systemctl start nginx")
        pairs.await_healthy()
