"""A plan for people and for programs.

In: plans, the bundles they come from, old contents of changed files, batches, costs. Out: text, or plain JSON values.
Holds: hosts that change alike are shown once, in the order of the rollout; drift (what someone changed on a host by
hand) stands apart from change; the content of a secret file is never shown, old or new; the count is the last line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bastide.bundle.model import HostBundle
from bastide.plan.cost import WORDS, Cost, worst
from bastide.plan.steps import HostPlan, RemoveFile, Settle, Step, WriteFile, count_changes, is_drift
from bastide.plan.words import Contents, describe_step, difference

OldContents = Mapping[str, Contents]
"""By host and path; what the hosts would not show is absent."""
_INDENT = "  "


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """Everything that is shown of a plan."""

    plans: Sequence[HostPlan]
    bundles: Mapping[str, HostBundle]
    old: OldContents = field(default_factory=dict)
    kept: OldContents = field(default_factory=dict)
    """Of a rollback: new contents, which no bundle has but the hosts keep."""
    batches: Sequence[Sequence[str]] = ()
    """The hosts that change, in the order in which they do."""
    costs: Mapping[str, Sequence[Cost]] = field(default_factory=dict)
    """By host, one a step."""
    notes: Sequence[str] = ()
    """What else whoever applies should know, such as a host that left the spec."""
    full: bool = False
    """Also the whole content of files on hosts that never had anything of ours."""

    def batch_of(self, host: str) -> int:
        """Number of the host's batch, from 1; 0 of a host that is in none."""
        return next((n for n, batch in enumerate(self.batches, start=1) if host in batch), 0)


def format_plan(view: PlanView) -> str:
    """Text with the count as its last line."""
    groups: dict[tuple[str, ...], list[HostPlan]] = {}
    for plan in sorted(view.plans, key=lambda plan: view.batch_of(plan.host)):
        if plan.changes:
            groups.setdefault(tuple(_plan_lines(plan, view)), []).append(plan)
    blocks = ["\n".join([_heading(alike, view), *lines, ""]) for lines, alike in groups.items()]
    notes = ["\n".join([*(f"! {note}" for note in view.notes), ""])] if view.notes else []
    return "\n".join([*blocks, *notes, _count_line(view)]) + "\n"


def plan_json(view: PlanView) -> dict[str, Any]:
    """The plan as plain JSON values (without the `version` field, which belongs to the verb)."""
    return {
        "changes": count_changes(view.plans),
        "drift": sum(is_drift(step) for plan in view.plans for step in plan.steps),
        "batches": [list(batch) for batch in view.batches],
        "notes": list(view.notes),
        "hosts": [
            {
                "name": plan.host,
                "changes": plan.changes,
                "generation": plan.digest,
                "fresh": plan.fresh,
                "batch": view.batch_of(plan.host) or None,
                "on_purpose": plan.on_purpose or None,
                "cost": worst(view.costs.get(plan.host, ())),
                "steps": list(_steps_json(plan, view)),
            }
            for plan in view.plans
        ],
    }


def _steps_json(plan: HostPlan, view: PlanView) -> Iterator[dict[str, Any]]:
    new, old = _new_contents(plan, view), view.old.get(plan.host, {})
    for step, cost in _with_costs(plan, view):
        shown = list(difference(step, new, old)) if view.full or not plan.fresh else []
        yield {
            "kind": type(step).__name__,
            "what": describe_step(step),
            "drift": is_drift(step),
            "cost": cost,
            "diff": shown,
        }


def _heading(alike: Sequence[HostPlan], view: PlanView) -> str:
    batches = dict.fromkeys(view.batch_of(plan.host) for plan in alike)
    in_order = ", then ".join(
        ", ".join(plan.host for plan in alike if view.batch_of(plan.host) == number) for number in batches
    )
    numbers = [str(number) for number in batches if number]
    placed = f"batch {', '.join(numbers)} of {len(view.batches)}" if numbers and len(view.batches) > 1 else ""
    noted = [*(["first apply"] if all(plan.fresh for plan in alike) else []), *([placed] if placed else [])]
    return f"{in_order} ({', '.join(noted)})" if noted else in_order


def _plan_lines(plan: HostPlan, view: PlanView) -> Iterator[str]:
    if plan.on_purpose:
        yield f"{_INDENT}! {plan.on_purpose}; apply goes forward again"
    pairs = list(_with_costs(plan, view))
    yield from _step_lines(plan, view, [pair for pair in pairs if not is_drift(pair[0])])
    drifted = [pair for pair in pairs if is_drift(pair[0])]
    if drifted:
        yield f"{_INDENT}drift: changed on the host by hand, apply puts it back"
        yield from _step_lines(plan, view, drifted)


def _step_lines(plan: HostPlan, view: PlanView, steps: Iterable[tuple[Step, Cost]]) -> Iterator[str]:
    new, old = _new_contents(plan, view), view.old.get(plan.host, {})
    for step, cost in steps:
        said = f"   {WORDS[cost]}" if WORDS[cost] else ""
        yield f"{_INDENT}{describe_step(step)}{said}"
        if isinstance(step, WriteFile | RemoveFile) and plan.fresh and not view.full:
            continue  # a new host is all new: --full shows it
        yield from (f"{_INDENT * 3}{line}".rstrip() for line in difference(step, new, old))


def _with_costs(plan: HostPlan, view: PlanView) -> Iterator[tuple[Step, Cost]]:
    costs = view.costs.get(plan.host, ())
    yield from zip(plan.steps, costs or ("nothing",) * len(plan.steps), strict=True)


def _new_contents(plan: HostPlan, view: PlanView) -> Contents:
    bundle = view.bundles.get(plan.host)
    if plan.host in view.kept:
        return view.kept[plan.host]
    return {file.path: file.content for file in bundle.files if not file.secret} if bundle else {}


def _count_line(view: PlanView) -> str:
    changing = [plan for plan in view.plans if plan.changes]
    total = f"{len(view.plans)} {'host' if len(view.plans) == 1 else 'hosts'}"
    if not changing:
        return f"no changes on {total}"
    changes = count_changes(view.plans)
    drift = sum(is_drift(step) for plan in changing for step in plan.steps)
    steps = [step for plan in changing for step in plan.steps]
    parts = [f"{changes} {'change' if changes == 1 else 'changes'} on {len(changing)} of {total}"]
    if drift:
        parts.append(f"{drift} of them drift")
    if view.costs and not all(isinstance(step, Settle) for step in steps):
        parts.append(f"cost in service: {worst([c for plan in changing for c in view.costs.get(plan.host, ())])}")
    return ", ".join(parts)
