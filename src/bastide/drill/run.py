"""One scenario from beginning to end: load, break, hold, restore, prove, judge.

In: Ground, Scenario, Site. Out: `Outcome`. Raises DrillRefused or FaultRefused (nothing was touched), FaultWithoutEffect,
NotRestored.
Holds: what is broken stands in the journal before it breaks; however this ends (an error, Ctrl-C, SIGTERM), it is put back
before anything else happens, and interrupting that has no effect; after `kill -9` the next drill does it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bastide.drill.faults import Fault, Prepared, make_fault
from bastide.drill.generated import expect_predicted, mutual
from bastide.drill.ground import FRESH_S, Ground
from bastide.drill.journal import Entry, forget_entry, write_entry
from bastide.drill.judge import LEAST, Marks, course, judge
from bastide.drill.load import Load, Site
from bastide.drill.outcome import Outcome
from bastide.drill.refusals import DrillRefused, FaultRefused
from bastide.drill.restore import await_whole, end_fault
from bastide.drill.rows import read_rows
from bastide.drill.scenario import Expectation, FaultSpec, Scenario
from bastide.drill.targets import Facts, resolve_fault
from bastide.drill.works import APPLYING, SwitchOver, refuse_changes

STEADY_S, AFTER_S = 2.0, 1.5
"""The load runs so long before the fault, and after everything is whole."""
_WARM_S, _PEEK_S = 60.0, 0.5
HELD_S = 60.0
"""Longer than this a drill does not wait for the hold after a takeover."""


def run_scenario(ground: Ground, scenario: Scenario, site: Site, last: Outcome | None = None) -> Outcome:
    """Try it. `last`: what the scenario before it left whole is not looked at again at once."""
    fresh = last is not None and time.time() - last.marks.restored < FRESH_S
    before = last.after if last is not None and fresh else refuse_unwell(ground)
    spec = resolve_fault(scenario.fault, ground.topology, before)
    fault = make_fault(spec, ground)
    _refuse_here(spec, ground)
    state = ground.target.state
    if not isinstance(fault, Prepared):
        return _under_load(ground, scenario, site, fault, before)
    write_entry(state, Entry(scenario=scenario.name, fault=spec, recorders=()))
    try:
        fault.prepare()
        outcome = _under_load(ground, scenario, site, fault, _as_before(ground, before))
    finally:
        with undisturbed():
            end_fault(ground, spec)
            after = await_whole(ground)
            forget_entry(state)
    return replace(outcome, after=after)


def _as_before(ground: Ground, before: Facts) -> Facts:
    """Who is what when all is whole again; the primary is who it was, since that may be what the scenario is about."""
    seen = await_whole(ground)
    if seen.primary != before.primary:
        SwitchOver(FaultSpec(kind="switchover"), ground).begin()
        seen = await_whole(ground)
    return seen


def _under_load(ground: Ground, scenario: Scenario, site: Site, fault: Fault, before: Facts) -> Outcome:
    """Load, break, hold, restore, judge."""
    spec = fault.spec
    rest, ease = (spec, fault.ease) if isinstance(fault, Prepared) else (None, None)
    expect = scenario.expect or expect_predicted(spec, ground.topology, before)
    load = Load(ground, site)
    state = ground.target.state
    write_entry(state, Entry(scenario=scenario.name, fault=rest, recorders=load.recorders))
    evidence: dict[str, Any] = {"before": {"primary": before.primary, "standby": before.standby}}
    whole = True
    try:
        load.begin()
        began = _warm(ground, load)
        write_entry(state, Entry(scenario=scenario.name, fault=spec, recorders=load.recorders))
        ground.announce(f"drill began: {spec}")
        ground.say(f"{spec}; expected: {expect}")
        broken, whole = time.time(), False
        try:
            fault.begin()
            held = time.time()
            evidence["effect"] = fault.proof()
            _hold(ground, load, scenario, expect, broken, held)
        finally:
            restoring = time.time()
            with undisturbed():
                end_fault(ground, spec, ease)
                after = await_whole(ground)
                whole = True
                ground.announce(f"drill ended: {spec}")
        restored = time.time()
        time.sleep(AFTER_S)
        ledger, watch, over = load.finish()
        rows = read_rows(ground)
    finally:
        with undisturbed():
            load.abandon()
            if whole and rest is not None:
                write_entry(state, Entry(scenario=scenario.name, fault=rest, recorders=()))
            elif whole:
                forget_entry(state)
    evidence["after"] = {"primary": after.primary, "standby": after.standby}
    evidence |= {"positions": dict(rows.positions), "checksums": dict(rows.checksums)}
    evidence["two_writers"] = [list(together) for together in watch.together()]
    marks = Marks(began=began, broken=broken, held=held, restoring=restoring, restored=restored, over=over)
    return Outcome(
        scenario=scenario, fault=spec, expect=expect, marks=marks, evidence=evidence, ledger=ledger, watch=watch,
        after=after, judgement=judge(ledger, watch, rows, marks, expect),
    )  # fmt: skip


def refuse_unwell(ground: Ground, within_s: float = 15.0) -> Facts:
    """Who is what. Raises DrillRefused unless everything is well; what is settling is given a moment, and a takeover of
    before some more: the next one would wait as long, which says nothing of the fault."""
    began, seen = time.monotonic(), ground.look()
    while seen.ailments or seen.held_s:
        waited = time.monotonic() - began
        if seen.ailments and waited > within_s:
            raise DrillRefused(
                "the system is not well, and a drill would make it worse",
                "bastide status shows what ails; bastide drill --restore puts back what a drill broke",
                seen.ailments[:8],
            )
        held = f"the database was taken over not long ago, and the next takeover waits {seen.held_s:.0f} s (failover_hold)"
        if not seen.ailments and waited + seen.held_s > within_s + HELD_S:
            raise DrillRefused(held, "look why it was; then bastide db resume: the next takeover waits no more")
        ground.say(f"not well yet: {seen.ailments[0]}" if seen.ailments else held)
        time.sleep(1.0 if seen.ailments else min(seen.held_s, 5.0))
        seen = ground.look(seen)
    return seen.facts


def _refuse_here(spec: FaultSpec, ground: Ground) -> None:
    if spec.kind == "expire" and not mutual(ground.topology):
        raise FaultRefused(
            f"{spec}: inside, hosts speak plain text and look at no certificate", "tls: {inside: mtls} in the spec"
        )
    if spec.kind in APPLYING:
        refuse_changes(ground)


def _warm(ground: Ground, load: Load) -> float:
    """Wait until the load is one; since when it is. Raises DrillRefused."""
    end = time.monotonic() + _WARM_S
    while True:
        seen = load.peek()
        reads, writes = sum(read.ok for read in seen.reads), sum(write.ok for write in seen.writes)
        if reads >= LEAST and (writes >= LEAST or not seen.writing):
            began = time.time()
            time.sleep(STEADY_S)
            return began
        # Such an answer is the site's last word; others may be those of a site that still starts.
        declined = sum(isinstance(read.said, int) and 400 <= read.said < 500 for read in seen.reads)
        if time.monotonic() > end or declined == len(seen.reads) >= 2 * LEAST:
            said = sorted({str(read.said) for read in seen.reads if not read.ok})
            raise DrillRefused(
                f"no steady load came about: {reads} reads and {writes} writes were answered",
                "does the site answer at that path? (--path chooses another)",
                tuple(f"reads: {one}" for one in said[:4]),
            )
        time.sleep(_PEEK_S)


def _hold(ground: Ground, load: Load, scenario: Scenario, expect: Expectation, broken: float, held: float) -> None:
    """At least as long as the scenario says since it had taken effect (a busy machine takes seconds to stand still), and
    until what is expected shows or should have shown."""
    while True:
        lasted = time.time() - held
        if lasted >= scenario.hold_s:
            # Of that moment: a host that lost its power lets whoever asks it wait, and what others said is old then.
            now = time.time()
            reads, writes = course(load.peek(), now, since=broken)
            if (reads, writes) == (expect.reads, expect.writes) or lasted >= scenario.hold_s + expect.within_s:
                return
            ground.say(f"{lasted:.0f} s: reads {reads or 'falter'}, writes {writes or 'falter'}")
        time.sleep(_PEEK_S)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until this is done. Only the main thread can be disturbed at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    kept = {n: signal.signal(n, lambda number, _: caught.append(number)) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    if caught:
        raise KeyboardInterrupt


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the program as Ctrl-C does: by way of putting everything back."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    kept = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)
