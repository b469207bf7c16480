"""One apply at a time: who holds the hosts, since when, till when; and that nobody can leak that."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from bastide.apply.events import BatchBegan, Event
from bastide.apply.lease import Leases
from bastide.transport.errors import HostFailed
from bastide.transport.ssh import Conversation, open_conversation
from tests.lab.apply.bundles import web_bundle
from tests.lab.apply.conftest import HOSTS, Ground

pytestmark = pytest.mark.lab


def both(ground: Ground, text: str) -> list[object]:
    return [web_bundle(host, ground.release, text=text) for host in HOSTS]


def test_of_two_applies_at_once_one_finishes_and_the_other_is_told_by_whom_and_till_when(ground: Ground) -> None:
    assert ground.apply(*both(ground, "old")).ok  # type: ignore[arg-type]
    told: list[object] = []

    def second(event: Event) -> None:
        if isinstance(event, BatchBegan) and event.number == 1:
            other = Ground(
                endpoints=ground.endpoints, topology=ground.topology, release=ground.release, blobs=ground.blobs,
                state=ground.state / "other",
            )  # fmt: skip
            told.append(other.apply(*both(ground, "other"), who="ben@desk"))  # type: ignore[arg-type]

    first = ground.apply(*both(ground, "new"), who="anna@laptop", watch=second)  # type: ignore[arg-type]
    assert first.ok, first
    refused = told[0].hosts["web1"]  # type: ignore[attr-defined]
    assert (refused.outcome, refused.phase) == ("failed", "lease")
    assert re.search(r"^anna@laptop \(from [\d.]+\) is at work here since \d\d:\d\d:\d\d UTC$", refused.message)
    assert re.search(r"lasts until \d\d:\d\d:\d\d UTC \(for (1[0-9]|20) s\)", refused.hint)
    for host in HOSTS:
        assert ground.sh(host, "curl -s http://127.0.0.1:8080/") == "new", "the second one changed nothing"
    assert ground.apply(*both(ground, "other"), who="ben@desk").ok, "and now it is its turn"  # type: ignore[arg-type]


def test_two_applies_that_start_together_never_both_work_and_never_both_stop(ground: Ground) -> None:
    """By one order of taking: whoever has the first host gets them all."""
    assert ground.apply(*both(ground, "old")).ok  # type: ignore[arg-type]
    fork = multiprocessing.get_context("fork")
    outcomes = fork.Queue()

    def apply(name: str) -> None:
        outcomes.put((name, ground.apply(*both(ground, name), who=name).ok))  # type: ignore[arg-type]

    runs = [fork.Process(target=apply, args=(name,)) for name in ("anna", "ben")]
    for run in runs:
        run.start()
    done = dict(outcomes.get(timeout=180) for _ in runs)
    for run in runs:
        run.join(60)
    winners = [name for name, ok in done.items() if ok]
    served = {ground.sh(host, "curl -s http://127.0.0.1:8080/") for host in HOSTS}
    assert winners and len(served) == 1, (done, served)
    assert served <= set(winners), "what runs everywhere is what one of them that succeeded wanted"


def test_kill_of_the_controller_frees_the_hosts_at_once(ground: Ground) -> None:
    assert ground.apply(*both(ground, "old")).ok  # type: ignore[arg-type]
    ground.apply_and_die(*both(ground, "new"), when=lambda e: isinstance(e, BatchBegan), who="killed")  # type: ignore[arg-type]
    began = time.monotonic()
    while not (again := ground.apply(*both(ground, "new"))).ok:  # type: ignore[arg-type]
        # Whichever host is the first to refuse; of the others nothing was asked.
        assert {h.phase for h in again.hosts.values() if h.outcome == "failed"} <= {"lease", "stage"}, again
        assert time.monotonic() - began < 15, "long before the lease would have run out"
        time.sleep(0.2)


def test_controller_that_falls_silent_loses_its_lease_by_itself(ground: Ground) -> None:
    """A lost laptop: its connection stands, and nothing comes over it any more."""
    with open_conversation(ground.endpoints["web1"]) as silent:
        silent.request("lease", who="lost@train", ttl_s=6.0)
        over = threading.Event()
        heartbeat = threading.Thread(target=_renew_until, args=(silent, over))
        heartbeat.start()
        try:
            began = time.monotonic()
            while time.monotonic() - began < 8.0:
                assert _refused(ground) == "leased", "renewals make it last"
        finally:
            over.set()
            heartbeat.join()
        last = time.monotonic()
        while _refused(ground):
            assert time.monotonic() - last < 60
        with pytest.raises(HostFailed) as lost:
            silent.request("observe")
        assert lost.value.code == "lost", "whoever wakes up late cannot go on"


def _renew_until(conversation: Conversation, over: threading.Event) -> None:
    while not over.wait(0.3):
        conversation.renew()


def test_frozen_controller_holds_nobody_up_for_longer_than_its_lease(ground: Ground) -> None:
    """SIGSTOP is what a closed lid does to a process."""
    assert ground.apply(*both(ground, "old")).ok  # type: ignore[arg-type]

    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()

    def stop(event: Event) -> None:
        if isinstance(event, BatchBegan) and event.number == 1:
            # Asked while it is still renewed: once we stop, the lease may run out before anybody looks.
            told.put(ground.sh("web1", "flock --nonblock /var/lib/bastide/lease true || echo held"))
            os.kill(os.getpid(), signal.SIGSTOP)

    terms = {"watch": stop, "who": "lid@closed", "lease_s": 8.0}
    frozen = context.Process(target=ground.apply, args=both(ground, "new"), kwargs=terms)
    frozen.start()
    try:
        deadline = time.monotonic() + 60
        while _state_of(frozen.pid or 0) != "T":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert told.get() == "held"
        while _refused(ground):
            assert time.monotonic() < deadline
        result = ground.apply_once_free(*both(ground, "other"))  # type: ignore[arg-type]
        assert result.ok, result
        assert _state_of(frozen.pid or 0) == "T", "it is frozen all the while"
    finally:
        os.kill(frozen.pid or 0, signal.SIGCONT)
        frozen.join(30)
        frozen.kill()
    assert ground.sh("web1", "curl -s http://127.0.0.1:8080/") == "other", "the one that woke up changed nothing"


def test_somebody_applied_between_the_look_and_the_lease(ground: Ground) -> None:
    assert ground.apply(*both(ground, "old")).ok  # type: ignore[arg-type]
    with open_conversation(ground.endpoints["web1"]) as mine:
        token = mine.request("observe")["token"]
        assert ground.apply(*both(ground, "theirs")).ok  # type: ignore[arg-type]
        leases = Leases(who="mine")
        with pytest.raises(HostFailed) as moved:
            leases.take({"web1": mine}, {"web1": token})
        leases.stop()
        assert moved.value.code == "moved" and "test applied here" in moved.value.message
    assert _refused(ground) == "", "and the lease was given back"


def test_console_is_told_of_the_apply_at_work(ground: Ground) -> None:
    assert ground.apply(*both(ground, "old")).ok  # type: ignore[arg-type]
    with open_conversation(ground.endpoints["web1"]) as conversation:
        conversation.request("lease", who="anna@laptop")
        assert "anna@laptop" in ground.sh("web1", "bastide-host rollback 2>&1")


def test_an_old_programs_message_is_no_renewal(ground: Ground) -> None:
    """The control of the renewals: what is not a whole message renews nothing and ends the conversation."""
    with open_conversation(ground.endpoints["web1"]) as conversation:
        conversation.request("lease", who="x", ttl_s=90.0)
        assert isinstance(conversation._process, subprocess.Popen)
        assert conversation._process.stdin is not None
        conversation._process.stdin.write(b"garbage\n")
        conversation._process.stdin.flush()
        deadline = time.monotonic() + 45
        while _refused(ground):
            assert time.monotonic() < deadline, "long before the lease would have run out"
        with pytest.raises(HostFailed):
            conversation.request("observe")


def _refused(ground: Ground) -> str:
    """Code with which a lease is refused now; empty when it is given (and given back)."""
    try:
        ground.ask("web1", "lease", who="other")
    except HostFailed as refused:
        return refused.code
    return ""


def _state_of(process: int) -> str:
    with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0]
