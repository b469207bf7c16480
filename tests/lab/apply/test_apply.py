"""Apply on real machines: failures first, each test on hosts that know nothing of us."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bastide.apply import observe
from bastide.apply.events import Event, HostStopped, Observed, Progressed, Unreachable
from bastide.apply.observe import fetch_old_contents, host_status, observe_host, observe_hosts
from bastide.bundle.assemble import assemble_bundle
from bastide.lab.machines import kill_machine, start_machine
from bastide.plan.diff import diff_host
from bastide.plan.facts import HostFacts
from bastide.plan.text import PlanView, format_plan
from bastide.products.fragment import Check, File, Fragment, Probe, Unit
from bastide.transport.endpoint import Endpoint
from bastide.transport.ssh import open_conversation
from tests.lab.apply.bundles import CANARY, web_bundle, web_fragment, with_file, worker_fragment
from tests.lab.apply.conftest import LAB, Ground

pytestmark = pytest.mark.lab

GET = "curl -s http://127.0.0.1:8080/"
FAILING_CHECK = Fragment(product="bad", checks=(Check(name="never", argv=("sh", "-c", "echo no good; exit 1")),))


def activating(text: str) -> object:
    """Whether an event says this while a host activates."""

    def matches(event: Event) -> bool:
        return isinstance(event, Progressed) and event.phase == "activate" and text in event.text

    return matches


def wait_until(condition: object, timeout_s: float = 60.0) -> None:
    """Wait for something to become true."""
    assert callable(condition)
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.2)


def test_check_that_fails_on_one_host_changes_nothing_on_any(ground: Ground) -> None:
    result = ground.apply(web_bundle("web1", ground.release), web_bundle("web2", ground.release, FAILING_CHECK))
    assert result.hosts["web1"].outcome == "not_reached"
    assert (result.hosts["web2"].outcome, result.hosts["web2"].phase) == ("failed", "check")
    assert "no good" in result.hosts["web2"].lines
    for host in ("web1", "web2"):
        assert ground.sh(host, "ls -d /etc/bastide /etc/systemd/system/nginx.service 2>/dev/null") == ""
        assert ground.sh(host, "systemctl is-active nginx") == "inactive"
    assert ground.sh("web2", "mount | grep bastide/check") == "", "the checks' view is private"


def test_a_host_whose_clock_is_wrong_is_left_as_it_is_and_goes_back_all_the_same(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All machines of a lab have this computer's clock: it is ours that is set back, which looks the same."""
    ground.apply(web_bundle("web1", ground.release, text="old"))
    monkeypatch.setattr(
        observe, "time", SimpleNamespace(time=lambda: time.time() - 10800, monotonic=time.monotonic)
    )
    result = ground.apply(web_bundle("web1", ground.release, text="new"))
    assert (result.hosts["web1"].outcome, result.hosts["web1"].phase) == ("failed", "observe")
    assert "its clock is 3 hours ahead" in result.hosts["web1"].message
    assert "timedatectl" in result.hosts["web1"].hint
    assert ground.sh("web1", GET) == "old"
    assert host_status(ground.endpoints)["web1"]["clock_ahead_s"] == pytest.approx(10800, abs=5)  # type: ignore[index]
    returned = ground.apply(web_bundle("web1", ground.release, text="older"), operation="rollback")
    assert returned.hosts["web1"].outcome == "changed" and ground.sh("web1", GET) == "older"


def test_the_real_checker_sees_the_staged_files(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release))
    broken = with_file(web_fragment(ground.release), "/etc/bastide/nginx/nginx.conf", b"serve { nothing }\n")
    result = ground.apply(assemble_bundle("web1", [broken]))
    assert result.hosts["web1"].phase == "check"
    assert any("unknown directive" in line for line in result.hosts["web1"].lines)
    unknown = with_file(
        web_fragment(ground.release), "/etc/systemd/system/nginx.service", b"[Service]\nExecStrat=1\n"
    )
    assert ground.apply(assemble_bundle("web1", [unknown])).hosts["web1"].phase == "check"
    # An address that this machine does not have is no reason to refuse.
    elsewhere = web_bundle("web1", ground.release, listen="192.0.2.77:8080")
    ground.apply(elsewhere)
    assert not any(isinstance(e, HostStopped) and e.phase == "check" for e in ground.events)


def test_probe_that_fails_puts_the_previous_generation_back(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, text="old"))
    result = ground.apply(web_bundle("web1", ground.release, text="new", probe_port=8081))
    assert (result.hosts["web1"].outcome, result.hosts["web1"].phase) == ("failed", "activate")
    assert "site did not hold within 2 s" in result.hosts["web1"].message
    assert any("8081" in line for line in result.hosts["web1"].lines)
    assert ground.sh("web1", GET) == "old"
    assert ground.apply(web_bundle("web1", ground.release, text="old")).changes == 0


def test_unit_that_dies_is_reported_with_its_journal(ground: Ground) -> None:
    unit = b"[Service]\nExecStart=/bin/sh -c 'echo I am unwell; exit 3'\n[Install]\nWantedBy=multi-user.target\n"
    dying = Fragment(
        product="dying",
        files=(File(path="/etc/systemd/system/worker.service", content=unit),),
        units=(Unit(name="worker.service"),),
        # Until it is dead: on a busy machine it may live longer than any time that one would wait.
        probes=(Probe(name="dead", argv=("systemctl", "is-failed", "--quiet", "worker"), timeout_s=60.0),),
    )
    result = ground.apply(web_bundle("web1", ground.release, dying))
    assert "worker.service" in result.hosts["web1"].message
    assert "I am unwell" in result.hosts["web1"].lines
    assert ground.sh("web1", "ls /etc/systemd/system/worker.service /etc/bastide 2>/dev/null") == ""
    assert ground.sh("web1", "systemctl is-active nginx worker") == "inactive\ninactive"


def test_where_a_probe_fails_whoever_does_not_stay_up_has_the_last_word(ground: Ground) -> None:
    """An application that dies again and again listens in between: its probe fails with a page of nginx's."""
    loop = "[Service]\nExecStart=/bin/sh -c 'echo {}'\nRestart=always\nRestartSec=100ms\nStartLimitIntervalSec=0\n"
    unit = loop.format("no such table: orders; sleep 0.2; exit 3") + "[Install]\nWantedBy=multi-user.target\n"
    looping = Fragment(
        product="looping",
        files=(File(path="/etc/systemd/system/worker.service", content=unit.encode()),),
        units=(Unit(name="worker.service"),),
        probes=(Probe(name="serves", argv=("false",), timeout_s=3.0),),
    )
    result = ground.apply(web_bundle("web1", ground.release, looping))
    assert "serves did not hold" in result.hosts["web1"].message
    lines = list(result.hosts["web1"].lines)
    assert "worker.service does not stay up; it said last:" in lines and "no such table: orders" in lines
    assert not any("nginx.service" in line for line in lines), "the control: that one stays up"


def test_debians_own_service_is_given_back_when_the_first_apply_fails(ground: Ground) -> None:
    ground.sh("web1", "SYSTEMCTL_SKIP_SYSV=1 systemctl enable -q --now nginx")
    result = ground.apply(web_bundle("web1", ground.release, probe_port=8081))
    assert result.hosts["web1"].outcome == "failed"
    shown = ground.sh("web1", "systemctl show -p FragmentPath,ActiveState,UnitFileState --value nginx")
    assert set(shown.split()) == {"/lib/systemd/system/nginx.service", "active", "enabled"}


def test_host_that_is_away_is_reported_and_stops_everything(ground: Ground) -> None:
    away = Endpoint(host="web2", address="127.0.0.1", port=9)
    ground.endpoints, kept = {**ground.endpoints, "web2": away}, ground.endpoints
    result = ground.apply(web_bundle("web1", ground.release), web_bundle("web2", ground.release))
    ground.endpoints = kept
    assert [e.host for e in ground.events if isinstance(e, Unreachable)] == ["web2"]
    assert result.hosts["web1"].outcome == "not_reached"
    assert "refused" in result.hosts["web2"].message
    assert ground.sh("web1", "ls -d /etc/bastide 2>/dev/null") == ""


def test_unconfirmed_generation_goes_back_by_itself(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, text="old"))
    new = web_bundle("web1", ground.release, text="new")
    ground.apply_and_die(new, when=activating("probe release"), confirm_s=6.0)  # type: ignore[arg-type]
    # Both in one look: it lasts for six seconds.
    look = f"cat /var/lib/bastide/activation.json; {GET}"
    wait_until(lambda: '"provisional"' in (seen := ground.sh("web1", look)) and seen.endswith("new"))
    wait_until(lambda: ground.activation("web1")["phase"] == "rolled-back")
    assert ground.sh("web1", GET) == "old"
    assert ground.apply(new).hosts["web1"].outcome == "changed"
    assert ground.sh("web1", GET) == "new"


def test_change_that_locks_us_out_goes_back_by_itself(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release))
    rules = (
        b"table inet lockout { chain input { type filter hook input priority 0;\n"
        b"ct state established accept\n tcp dport 22 drop\n}\n}\n"
    )
    unit = (
        b"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/nft -f /etc/bastide/lockout.nft\n"
        b"ExecStop=/usr/sbin/nft delete table inet lockout\n[Install]\nWantedBy=multi-user.target\n"
    )
    wall = Fragment(
        product="wall",
        files=(
            File(path="/etc/bastide/lockout.nft", content=rules),
            File(path="/etc/systemd/system/setup.service", content=unit),
        ),
        units=(Unit(name="setup.service", kind="oneshot", restart_on=("/etc/bastide/lockout.nft",)),),
    )
    result = ground.apply(web_bundle("web1", ground.release, wall), confirm_s=4.0)
    assert (result.hosts["web1"].outcome, result.hosts["web1"].phase) == ("failed", "confirm"), result.hosts[
        "web1"
    ].lines
    wait_until(lambda: ground.activation("web1")["phase"] == "rolled-back")
    assert ground.sh("web1", "nft list tables") == ""
    assert ground.apply(web_bundle("web1", ground.release)).changes == 0


def test_machine_that_dies_before_the_confirmation_goes_back_when_it_boots(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, text="old"))
    new = web_bundle("web1", ground.release, text="new")
    ground.apply_and_die(new, when=activating("probe release"), confirm_s=900.0)  # type: ignore[arg-type]
    wait_until(lambda: ground.activation("web1")["phase"] == "provisional")
    kill_machine(LAB, "web1")
    start_machine(LAB, "web1")
    # The connection that was kept leads nowhere now, and must not be taken for the host.
    assert isinstance(host_status({"web1": ground.endpoints["web1"]})["web1"], dict)
    wait_until(lambda: ground.activation("web1")["phase"] == "rolled-back")
    assert ground.sh("web1", GET) == "old"


@pytest.mark.parametrize("moment", ["stage", "setup.service", "nginx.service", "probe site"])
def test_controller_killed_anywhere_then_apply_again(ground: Ground, moment: str) -> None:
    ground.apply(web_bundle("web1", ground.release, worker_fragment(), text="old"))
    new = web_bundle(
        "web1", ground.release, with_file(worker_fragment(), "/etc/bastide/setup/input", b"2\n"), text="new"
    )

    def when(event: Event) -> bool:
        return isinstance(event, Progressed) and (event.phase == moment or moment in event.text)

    ground.apply_and_die(new, when=when)
    assert ground.apply_once_free(new).hosts["web1"].outcome == "changed"
    assert ground.sh("web1", GET) == "new"
    assert ground.sh("web1", "wc -l < /var/lib/shop/setups") == "2", "the oneshot ran for each input, once"
    assert ground.activation("web1")["phase"] == "confirmed"
    assert ground.apply(new).changes == 0


@pytest.mark.parametrize(("moment", "settled"), [("stage", False), ("nginx.service", True)])
def test_ctrl_c_lets_an_activation_end_and_begins_no_other(ground: Ground, moment: str, settled: bool) -> None:
    bundles = [web_bundle(host, ground.release) for host in ("web1", "web2")]
    ground.apply(*bundles)
    new = [web_bundle(host, ground.release, text="new") for host in ("web1", "web2")]

    pressed: list[Event] = []

    def watch(event: Event) -> None:
        if not pressed and isinstance(event, Progressed) and (event.phase == moment or moment in event.text):
            pressed.append(event)
            os.kill(os.getpid(), signal.SIGINT)

    result = ground.apply(*new, watch=watch)
    assert result.interrupted
    assert not result.ok
    assert result.hosts["web1"].outcome == ("changed" if settled else "not_reached")
    assert result.hosts["web2"].outcome == "not_reached"
    assert ground.activation("web1")["phase"] == "confirmed"
    assert ground.sh("web2", GET) == "hello"
    assert ground.apply_once_free(*new).ok


def test_host_process_killed_while_activating(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, text="old"))
    slow = Fragment(product="slow", probes=(Probe(name="slow", argv=("sleep", "8")),))

    def kill(event: Event) -> None:
        if isinstance(event, Progressed) and "probe release" in event.text:
            ground.sh("web1", "kill -9 $(cut -d, -f2 /var/lib/bastide/lock | tr -dc 0-9)")

    new = web_bundle("web1", ground.release, slow, text="new")
    result = ground.apply(new, confirm_s=2.0, watch=kill)
    assert "lost the host during activate" in result.hosts["web1"].message
    # The apply asks the host over a new connection what became of it; the host's own timer needs no such question.
    wait_until(lambda: ground.activation("web1")["phase"] == "rolled-back")
    assert ground.sh("web1", GET) == "old"


def test_two_applies_at_once_one_is_told_who_is_at_work(ground: Ground) -> None:
    with open_conversation(ground.endpoints["web1"]) as other:
        bundle = web_bundle("web1", ground.release)
        contents = {**bundle.contents, ground.release.digest: (ground.blobs / ground.release.digest).read_bytes()}
        other.request(
            "stage", manifest=bundle.manifest, digest=bundle.digest, who="anna", contents=contents.__getitem__
        )
        with (
            open_conversation(ground.endpoints["web1"]) as conversation,
            pytest.raises(Exception, match="anna") as told,
        ):
            conversation.request("stage", manifest=bundle.manifest, digest=bundle.digest, lock_wait_s=0.2)
        assert told.value.code == "locked"  # type: ignore[attr-defined]
    assert ground.apply(web_bundle("web1", ground.release)).ok, "a conversation that ended holds nothing"


def test_secrets_are_seen_nowhere_but_in_their_file(ground: Ground) -> None:
    telling = Fragment(
        product="telling",
        probes=(Probe(name="tells", argv=("sh", "-c", "cat /etc/bastide/nginx/key.pem; exit 1"), timeout_s=0.3),),
    )
    good = web_bundle("web1", ground.release)
    ground.apply(good)
    seen = [repr(ground.events)]
    result = ground.apply(web_bundle("web1", ground.release, telling))
    assert result.hosts["web1"].lines == ("[secret]",), "the probe did print it, so this test can fail"
    changed = with_file(web_fragment(ground.release), "/etc/bastide/nginx/key.pem", f"{CANARY}-2\n".encode())
    bundle = assemble_bundle("web1", [changed])
    with open_conversation(ground.endpoints["web1"]) as conversation:
        plan = diff_host(bundle, observe_host(conversation, bundle))
        old = fetch_old_contents(conversation, plan)
        refused = conversation.request("contents", paths=["/etc/bastide/nginx/key.pem", "/etc/shadow"])
    seen += [
        format_plan(PlanView(plans=[plan], bundles={"web1": bundle}, old={"web1": old})),
        repr(plan),
        repr(bundle),
    ]
    seen += [repr(ground.events), repr(result), (ground.state / "journal").read_text()]
    seen += [ground.sh("web1", "journalctl --no-pager -o cat; cat /var/lib/bastide/*.json")]
    assert refused == {}
    assert not any(CANARY in text for text in seen)
    readable = ground.sh("web1", f"grep -rl {CANARY} /var/lib/bastide /etc /run /tmp /var/log 2>/dev/null")
    assert readable, "it is in its file"
    modes = ground.sh("web1", f"stat -c %a $(grep -rl {CANARY} /var/lib/bastide /etc /run /tmp 2>/dev/null)")
    assert set(modes.split()) <= {"640", "600"}


def test_first_apply_then_nothing_to_do(ground: Ground) -> None:
    bundles = [web_bundle(host, ground.release, worker_fragment()) for host in ("web1", "web2")]
    first = ground.apply(*bundles)
    assert first.ok and first.changes > 10
    assert ground.sh("web2", GET) == "hello"
    assert ground.sh("web1", "curl -s http://127.0.0.1:8080/release/hello.txt") == "hello"
    assert ground.sh("web1", "id -nG shopworker") == "shopworker www-data"
    assert ground.sh("web1", "stat -c '%a %U:%G' /etc/bastide/nginx/key.pem /var/lib/shop").split("\n") == [
        "640 root:www-data",
        "750 shopworker:shopworker",
    ]
    for _ in range(3):
        assert ground.apply(*bundles).changes == 0
    assert {e.changes for e in ground.events if isinstance(e, Observed)} == {0}
    lines = (ground.state / "journal").read_text().splitlines()
    assert [json.loads(line)["result"] for line in lines] == ["done"] * 4


def test_one_changed_file_is_one_reload(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, worker_fragment()))
    pids = "systemctl show -p MainPID --value nginx worker"
    before = ground.sh("web1", pids)
    ground.apply(web_bundle("web1", ground.release, worker_fragment(), text="new"))
    told = [e.text for e in ground.events if isinstance(e, Progressed) and ".service: " in e.text]
    assert told == ["nginx.service: reload"]
    assert ground.sh("web1", pids) == before
    assert ground.sh("web1", GET) == "new"
    assert ground.sh("web1", "wc -l < /var/lib/shop/setups") == "1", "the oneshot's input did not change"


def test_what_left_the_spec_leaves_the_host(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, worker_fragment()))
    ground.apply(web_bundle("web1", ground.release))
    assert ground.sh("web1", "systemctl is-active worker; systemctl is-enabled worker 2>&1 | tail -1").split("\n")[
        0
    ] == ("inactive")
    assert ground.sh("web1", "ls /etc/systemd/system/worker.service /etc/bastide/setup 2>/dev/null") == ""
    assert ground.sh("web1", "cat /var/lib/shop/setups") == "run", "data stays"
    assert ground.sh("web1", GET) == "hello"


def test_drift_is_found_and_mended(ground: Ground) -> None:
    bundle = web_bundle("web1", ground.release, worker_fragment())
    ground.apply(bundle)
    ground.sh("web1", "sed -i s/hello/hacked/ /etc/bastide/nginx/nginx.conf; systemctl reload nginx")
    ground.sh("web1", "systemctl stop worker; chmod 644 /etc/bastide/nginx/key.pem")
    assert ground.sh("web1", GET) == "hacked"
    facts = observe_hosts({"web1": bundle}, ground.endpoints)["web1"]
    assert isinstance(facts, HostFacts)
    text = format_plan(PlanView(plans=[diff_host(bundle, facts)], bundles={"web1": bundle}))
    assert "nginx.conf (changed on the host by someone)" in text
    assert "* reload nginx.service" in text
    assert "* start worker.service" in text
    assert ground.apply(bundle).hosts["web1"].outcome == "changed"
    assert ground.sh("web1", GET) == "hello"
    assert ground.apply(bundle).changes == 0


def test_console_goes_back_one_generation(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, text="old"))
    ground.apply(web_bundle("web1", ground.release, text="new"))
    assert "previous generation is back" in ground.sh("web1", "bastide-host rollback")
    assert ground.sh("web1", GET) == "old"
    assert ground.apply(web_bundle("web1", ground.release, text="old")).changes == 0


def test_missing_package_is_installed_and_does_not_start(ground: Ground) -> None:
    ground.sh("web1", _LOCAL_REPOSITORY)
    bundle = web_bundle("web1", ground.release)
    result = ground.apply(replace(bundle, packages=("bastide-canary", *bundle.packages)))
    assert result.ok, result
    assert ground.sh("web1", "systemctl is-active bastide-canary; cat /var/tmp/postinst") == "inactive\ninstalled"
    assert ground.sh("web1", "ls /usr/sbin/policy-rc.d* 2>/dev/null") == ""


def test_status_says_what_runs(ground: Ground) -> None:
    bundle = web_bundle("web1", ground.release)
    ground.apply(bundle)
    status = host_status({"web1": ground.endpoints["web1"]})["web1"]
    assert isinstance(status, dict)
    assert status["generation"] == bundle.digest
    assert (status["phase"], status["units"]["nginx.service"]["active"]) == ("confirmed", "active")


_LOCAL_REPOSITORY = """
set -e; apt-get -qq purge -y bastide-canary >/dev/null 2>&1 || true
mkdir -p /var/tmp/repo/p/DEBIAN /var/tmp/repo/p/lib/systemd/system; cd /var/tmp/repo; rm -f /var/tmp/postinst
printf '%s\\n' 'Package: bastide-canary' 'Version: 1' 'Architecture: all' 'Maintainer: x <x@x>' 'Description: x' \
  > p/DEBIAN/control
printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > p/lib/systemd/system/bastide-canary.service
printf '%s\\n' '#!/bin/sh' 'systemctl daemon-reload' 'deb-systemd-invoke start bastide-canary.service' \
  'echo installed > /var/tmp/postinst' > p/DEBIAN/postinst
chmod 755 p/DEBIAN/postinst; dpkg-deb -b p bastide-canary_1_all.deb >/dev/null
{ dpkg-deb -f bastide-canary_1_all.deb; echo Filename: ./bastide-canary_1_all.deb
  echo Size: $(stat -c %s bastide-canary_1_all.deb)
  echo SHA256: $(sha256sum bastide-canary_1_all.deb | cut -d' ' -f1); } > Packages
echo 'deb [trusted=yes] file:/var/tmp/repo ./' > /etc/apt/sources.list
"""
