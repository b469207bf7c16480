"""Something dies at each step of an apply: the steps are taken from an apply that was watched, and none is left out.

In each: whoever asks meanwhile is answered by the old or the new generation, never by neither or a mixture; the next
apply finishes the work.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest

from bastide.apply.events import Event, Progressed
from bastide.bundle.model import HostBundle
from bastide.lab.faults import cut, heal, kill_machine, start_machine
from tests.lab.apply.bundles import web_bundle
from tests.lab.apply.conftest import Ground
from tests.lab.faults.conftest import LAB
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

PORT = 8080
FREE = "flock --nonblock /var/lib/bastide/lease echo free"
"""Says so when no controller's process is at work on a host, nor one that has yet to hear that its controller gave up."""


@dataclass
class Visitor:
    """Asks again and again, each time over a new connection, and remembers what it was told."""

    address: str
    said: list[str] = field(default_factory=list)

    def ask(self, *, timeout_s: float = 20.0) -> str:
        """A late answer is one, too: of a busy machine."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:{PORT}/", timeout=timeout_s) as answer:
                return str(answer.read().decode().strip())
        except (OSError, urllib.error.URLError) as error:
            return type(error).__name__

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(0.05):
                self.said.append(self.ask())

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def steps_of(ground: Ground, host: str) -> list[str]:
    """What an apply of a change says, one line a step."""
    ground.apply(bundle(ground, host, "old"))
    assert ground.apply(bundle(ground, host, "new")).changes
    found = [step_of(event) for event in ground.events]
    assert len(found) > 12, found
    assert {"stage", "check", "activate", "reach", "confirm"} <= {step.split(" ")[0] for step in found}, found
    return found


def step_of(event: Event) -> str:
    if isinstance(event, Progressed):
        return f"{event.phase} {event.text}"
    return type(event).__name__


def bundle(ground: Ground, host: str, text: str) -> HostBundle:
    """Another text is another configuration (a reload)."""
    return web_bundle(host, ground.release, text=text)


def at_step(number: int) -> Callable[[Event], bool]:
    """True for the event of that number."""
    counter = itertools.count()
    return lambda event: next(counter) == number


def test_the_controller_is_killed_at_every_step(ground: Ground) -> None:
    steps = steps_of(ground, "web1")
    visitor = Visitor(str(ground.endpoints["web1"].address))
    old = bundle(ground, "web1", "old")
    assert ground.apply(old).ok
    for number, step in enumerate(steps):
        # Each time one that the host has never had: what it has already is not sent again, and that is a step too.
        text = f"new {number}"
        new = bundle(ground, "web1", text)
        with visitor.asking():
            ground.apply_and_die(new, when=at_step(number), confirm_s=30.0)
            again = ground.apply_once_free(new)
        assert again.ok, (step, again)
        assert visitor.ask() == text, step
        assert ground.activation("web1")["phase"] == "confirmed", step
        # What is there now is what the next step changes.
        assert ground.apply(new).changes == 0, step
    print(f"\ncontroller killed at each of {len(steps)} steps, {len(visitor.said)} answers: {steps}")
    assert set(visitor.said) <= {"old", *(f"new {number}" for number in range(len(steps)))}, sorted(
        set(visitor.said)
    )
    assert len(set(visitor.said)) > 2


@pytest.mark.parametrize("fault", ["loses power", "is cut off"])
def test_a_host_dies_at_every_step(ground: Ground, fault: str) -> None:
    """The steps are shared among three machines, so that it takes a third of the time."""
    steps = steps_of(ground, "web1")
    wait = partial(wait_until, within_s=120.0, every_s=0.1)
    turns = {host: [n for n in range(len(steps)) if n % 3 == i] for i, host in enumerate(ground.endpoints)}

    def one(host: str) -> list[str]:
        own = Ground(
            endpoints=ground.endpoints, topology=ground.topology, release=ground.release, blobs=ground.blobs,
            state=ground.state / host, settings=ground.settings,
        )  # fmt: skip
        visitor = Visitor(str(own.endpoints[host].address))
        old = bundle(own, host, "old")
        assert own.apply(old).ok
        before = "old"
        told = []
        for number in turns[host]:
            due, text = at_step(number), f"new {number}"
            new = bundle(own, host, text)

            def strike(event: Event, due: Callable[[Event], bool] = due) -> None:
                if due(event):
                    kill_machine(LAB, host) if fault == "loses power" else cut(LAB, host)

            result = own.apply(new, watch=strike, confirm_s=4.0)
            start_machine(LAB, host) if fault == "loses power" else heal(LAB, host)
            wait(lambda answers=(before, text): visitor.ask(timeout_s=2.0) in answers)  # type: ignore[misc]
            # What was on its way when the cable went may arrive now and be begun; once the lease is free, nothing is.
            wait(lambda: own.sh(host, FREE) == "free")
            wait(lambda: own.activation(host)["phase"] in ("confirmed", "rolled-back"))
            seen = visitor.ask()
            # What was not reached after its change is not left to run.
            assert seen == (text if result.ok else before) or steps[number].startswith("confirm"), (
                steps[number],
                seen,
            )
            if not result.ok:
                told.append(f"{steps[number]}: {result.hosts[host].message} {result.hosts[host].hint}")
                assert result.hosts[host].message and result.hosts[host].hint, (steps[number], result)
            again = own.apply_once_free(new)
            assert again.ok, (steps[number], again)
            assert visitor.ask() == text, steps[number]
            before = text
        return told

    with ThreadPoolExecutor() as pool:
        told = [line for lines in pool.map(one, turns) for line in lines]
    print(f"\na host {fault} at each of {len(steps)} steps:", *told, sep="\n  ")
    assert len(told) >= len(steps) // 2, "most steps cannot go on without their host, and say so"
