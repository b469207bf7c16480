"""A saved plan: what was looked at and agreed upon, so that an apply does exactly that or refuses.

In: a plan and what it was made from. Out: a file (0600) of digests and of the steps' names; read again, `SavedPlan`.
Holds: no content of any file is in it, so no secret; bundles are compiled again and compared. Raises PlanFileUnusable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bastide.host.disk import write_atomically
from bastide.plan.steps import count_changes
from bastide.plan.words import describe_step
from bastide.project.desired import Desired
from bastide.project.planning import PlannedChanges
from bastide.project.target import Target

_KIND = "bastide plan 1"


class PlanFileUnusable(Exception):
    """The file is none of ours, or the world moved since. `lines` say how, `hint` what to do."""

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        self.lines = lines
        self.hint = "make a new plan: bastide plan --out FILE"
        super().__init__(message)


class NoSavedPlan(PlanFileUnusable):
    """What was named is no file of ours: bad usage, whatever the world does."""


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """What the file says."""

    kind: str
    target: str
    """lab or servers."""
    made: str
    who: str
    commit: str
    spec: str
    """Digest of the resolved spec."""
    changes: int
    bundles: Mapping[str, str]
    """Digest of each host's bundle, of every host of the plan."""
    fingerprints: Mapping[str, str]
    """How each host was found (`apply.expected`)."""
    steps: Mapping[str, list[str]]
    """For people: what each host needs, without contents."""


def save_plan(
    path: Path, target: Target, desired: Desired, planned: PlannedChanges, *, made: str, who: str, commit: str
) -> None:
    """Write the file. Raises PlanFileUnusable when hosts could not be looked at."""
    if planned.unreachable:
        names = ", ".join(error.host for error in planned.unreachable)
        raise PlanFileUnusable(f"a plan is saved only when every host was looked at; not reached: {names}")
    saved = SavedPlan(
        kind=_KIND,
        target=target.kind,
        made=made,
        who=who,
        commit=commit,
        spec=spec_digest(target),
        changes=count_changes(planned.plans),
        bundles={plan.host: plan.digest for plan in planned.plans},
        fingerprints=dict(planned.fingerprints),
        steps={plan.host: [describe_step(step) for step in plan.steps] for plan in planned.plans if plan.steps},
    )
    write_atomically(path, json.dumps(asdict(saved), indent=1).encode() + b"\n", mode=0o600)


def load_plan(path: Path) -> SavedPlan:
    """Read the file. Raises NoSavedPlan."""
    try:
        plain = json.loads(path.read_text())
        saved = SavedPlan(**plain)
    except OSError as error:
        raise NoSavedPlan(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise NoSavedPlan(f"{path} is not a saved plan") from error
    if saved.kind != _KIND:
        raise NoSavedPlan(f"{path} is not a saved plan that this version reads")
    return saved


def compare_desired(saved: SavedPlan, target: Target, desired: Desired) -> None:
    """Raise PlanFileUnusable unless the spec and what is compiled from it are as they were."""
    if saved.target != target.kind:
        raise PlanFileUnusable(f"the plan is for the {saved.target}, and this is the {target.kind}")
    now = {host: bundle.digest for host, bundle in desired.bundles.items() if host in saved.bundles}
    other = [host for host, digest in saved.bundles.items() if now.get(host) != digest]
    lines = tuple(f"{host}: {'another bundle' if host in now else 'left the spec'}" for host in other)
    if saved.spec != spec_digest(target):
        raise PlanFileUnusable(f"the spec is not the one that was planned at {saved.made}", lines)
    if other:
        raise PlanFileUnusable(
            f"what the spec leads to is not what was planned at {saved.made}: the application, a secret or a "
            "certificate changed",
            lines,
        )


def spec_digest(target: Target) -> str:
    """Of the resolved spec, so that a comment changes nothing."""
    return hashlib.sha256(target.spec.model_dump_json().encode()).hexdigest()
