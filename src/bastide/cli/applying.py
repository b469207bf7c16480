"""Drawing an apply: what `up` and `apply` share.

In: a target. Out: the result, with every failure already said on stderr.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from bastide.apply.early import EarlyConversations
from bastide.apply.events import (
    BatchBegan,
    Event,
    HostFinished,
    HostStopped,
    LeftBehind,
    Observed,
    Progressed,
    Unreachable,
    Warned,
)
from bastide.apply.journal import current_user
from bastide.apply.result import ApplyResult
from bastide.apply.run import ApplySettings, apply_bundles
from bastide.bundle.model import HostBundle
from bastide.cli.faults import tell_faults
from bastide.cli.progress import Progress
from bastide.project.commit import spec_commit
from bastide.project.desired import Desired, derive_desired
from bastide.project.known_hosts import remember_hosts
from bastide.project.members import database_members, find_primary
from bastide.project.planfile import SavedPlan, compare_desired
from bastide.project.refused import explain_refusal, on_hosts
from bastide.project.stale import record_stale
from bastide.project.target import Target
from bastide.spec.errors import SpecError
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology


def apply_target(
    target: Target,
    progress: Progress,
    *,
    only: frozenset[str],
    fresh: bool = False,
    allow_stale: bool = False,
    saved: SavedPlan | None = None,
    early: EarlyConversations,
    compiled: Callable[[], None] = lambda: None,
) -> tuple[ApplyResult, Desired]:
    """Compile and apply; empty `only` is all hosts. Raises PlanFileUnusable when `saved` is of another world.

    `fresh`: the machines are new, so no database can run there yet. `allow_stale`: go on without hosts that are away
    and that another one stands in for, whatever the spec says. `early`: conversations that are being opened already.
    `compiled` is called once nothing more is read for the compilation.
    """
    chosen = frozenset(saved.bundles) if saved is not None else only
    topology = resolve_topology(target.spec)
    # Hosts that are new to us are busy enough; others start our program, and say who is primary, while we compile.
    early_hosts = [] if fresh else [name for name in target.endpoints if not chosen or name in chosen]
    early.begin(target.endpoints, early_hosts)
    with ThreadPoolExecutor(max_workers=2) as pool:
        asked = pool.submit(lambda: None if fresh else find_primary(database_members(target, topology)))
        commit = pool.submit(spec_commit, target.base)
        with progress.step("compile"):
            desired = derive_desired(target, now=datetime.now(UTC), environ=os.environ, on_progress=progress.say)
            compiled()
            if saved is not None:
                compare_desired(saved, target, desired)
        settings = replace(
            apply_settings(target, allow_stale=allow_stale),
            commit=commit.result(),
            expected=saved.fingerprints if saved is not None else None,
        )
        result = run_apply(
            target, progress, desired.bundles, desired.topology,
            only=chosen, primary=asked.result(), settings=settings, early=early,
        )  # fmt: skip
    remember_hosts(target, result)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    record_stale(target.state, result, desired.bundles, at=now)
    tell_refused_snippets(target, desired, result)
    return result, desired


def run_apply(
    target: Target,
    progress: Progress,
    bundles: Mapping[str, HostBundle],
    topology: Topology,
    *,
    only: frozenset[str],
    primary: str | None,
    settings: ApplySettings,
    early: EarlyConversations | None = None,
) -> ApplyResult:
    """Bring hosts to these bundles, drawing what happens and saying every failure."""
    with progress.step(settings.operation) as step:
        result = apply_bundles(
            bundles,
            target.endpoints,
            topology,
            on_event=lambda event: _draw(event, progress),
            archives=lambda digest: target.state / "blobs" / digest,
            only=only or None,
            primary=primary,
            state_dir=target.state,
            settings=settings,
            early=early,
        )
        step.failed = not result.ok
    _report(result, progress)
    return result


def tell_refused_snippets(target: Target, desired: Desired, result: ApplyResult) -> None:
    """What a product's checker refused on hosts and a user wrote, at its line in the spec."""
    refused: dict[SpecError, list[str]] = {}
    for host in result.hosts.values():
        if host.outcome == "failed" and host.lines and target.loaded:
            for error in explain_refusal(target.loaded, desired.bundles[host.host], host.lines):
                refused.setdefault(error, []).append(host.host)
    errors = tuple(error for found, hosts in refused.items() for error in on_hosts((found,), hosts))
    tell_faults(errors, "text", usable=True)


def apply_settings(target: Target, *, allow_stale: bool = False) -> ApplySettings:
    """How the spec wants an apply to be done, and by whom it is."""
    rollout = target.spec.rollout
    return ApplySettings(
        who=current_user(),
        keep=target.spec.system.generations,
        batch=rollout.batch,
        drain_s=rollout.drain,
        settle_s=rollout.settle,
        allow_stale=allow_stale or rollout.stale == "redundant",
        health="/" if target.spec.app.kind == "static" else target.spec.app.health,
    )


def _draw(event: Event, progress: Progress) -> None:
    match event:
        case Observed(host=host, changes=changes):
            progress.say(f"{host}: {changes} changes" if changes else f"{host}: nothing to change")
        case BatchBegan(number=number, of=of, hosts=hosts):
            progress.say(f"batch {number} of {of}: {', '.join(hosts)}")
        case Progressed(host=host, phase=phase, text=text) if progress.mode == "tty":
            progress.say(f"{host} {phase} {text}")
        case HostFinished(host=host, changes=changes, seconds=seconds):
            progress.say(f"{host} done: {changes} changes in {seconds:.1f} s")
        case Warned(host=host, text=text):
            progress.note(f"! {host}: {text}")
        case LeftBehind(host=host, message=message):
            progress.note(f"! {host} is left behind: {message}")
        case Unreachable(host=host) | HostStopped(host=host):
            progress.say(f"{host} failed")
        case _:
            pass


def _report(result: ApplyResult, progress: Progress) -> None:
    for host in result.hosts.values():
        if host.outcome == "failed":
            progress.error(f"error: {host.host} ({host.phase}): {host.message}")
            for line in host.lines:
                progress.error(f"  │ {line}")
            if host.hint:
                progress.error(f"  {host.hint}")
        elif host.outcome == "undone":
            progress.error(f"undone: {host.host}: {host.message}")
    if result.stale:
        names = ", ".join(result.stale)
        progress.error(
            f"stale: {names}: others stand in; when back: bastide apply --only {' --only '.join(result.stale)}"
        )
    if result.interrupted:
        progress.note("interrupted: what had begun was finished; apply again for the rest")
    elif not result.ok:
        failed = next((h.host for h in result.hosts.values() if h.outcome == "failed"), "")
        waiting = [h.host for h in result.hosts.values() if h.outcome == "not_reached"]
        if waiting:
            progress.note(f"not begun: {', '.join(waiting)}")
        phases = {h.phase for h in result.hosts.values() if h.outcome == "failed"}
        if "connect" in phases:
            progress.note(
                "next: bring them back and apply again, or go on without those that others stand in for: --allow-stale"
            )
        elif not phases & {"lease", "compare", "observe"}:  # they said what to do
            progress.note(f"next: bastide logs {failed}, then apply again")
