"""What an apply would change, host by host; nothing is changed by looking.

In: a Target and its desired state. Out: plans, their order and cost, and old contents for their differences.
Holds: every host that cannot be looked at is reported, with its error; the plan of the others stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from bastide.apply.expected import fingerprint
from bastide.apply.observe import fetch_old_contents, observe_host, on_all
from bastide.plan.cost import derive_costs, derive_reloads
from bastide.plan.diff import diff_host
from bastide.plan.facts import HostFacts
from bastide.plan.marks import marks_of
from bastide.plan.newcomers import find_newcomers, newcomers_words
from bastide.plan.steps import HostPlan
from bastide.plan.text import PlanView
from bastide.plan.wire import speaks_anew
from bastide.policy.rollout import SHARE, derive_rollout
from bastide.project.desired import Desired
from bastide.project.known_hosts import hosts_that_left
from bastide.project.members import database_members, find_primary
from bastide.project.rollback import Return
from bastide.project.target import Target
from bastide.topology.model import Topology
from bastide.transport.clock import wrong_clock
from bastide.transport.errors import TransportError
from bastide.transport.ssh import open_conversation


@dataclass(frozen=True, kw_only=True)
class PlannedChanges:
    """Plans of all hosts that were looked at."""

    plans: tuple[HostPlan, ...]
    old: Mapping[str, Mapping[str, bytes]]
    fingerprints: Mapping[str, str]
    """By host: what an apply of the saved plan must find again."""
    primary: str | None
    holder: str | None
    """The balancer that holds the virtual address, if one that changes does."""
    left: tuple[str, ...]
    """Hosts that are in the spec no longer, each with what to do about it."""
    wrong_clocks: tuple[str, ...]
    """Hosts whose clock is wrong, each with how far."""
    newcomers: str = ""
    """Voters that would outvote those that have voted; empty where there are none."""
    unreachable: tuple[TransportError, ...]

    def view(self, target: Target, desired: Desired, *, full: bool = False) -> PlanView:
        """Everything that is shown of it."""
        view = plan_view(
            self.plans, desired.topology, self.old, self.primary,
            holder=self.holder, batch=target.spec.rollout.batch,
        )  # fmt: skip
        told = [*self.left, *self.wrong_clocks, *([self.newcomers] if self.newcomers else [])]
        return replace(view, bundles=desired.bundles, notes=[*view.notes, *told], full=full)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    plan: HostPlan
    old: Mapping[str, bytes]
    fingerprint: str
    holds: bool
    wrong_clock: str
    facts: HostFacts


def plan_target(target: Target, desired: Desired, only: frozenset[str]) -> PlannedChanges:
    """Look at every host (or those in `only`), all at once."""

    def look(host: str) -> _Seen:
        with open_conversation(target.endpoint(host)) as conversation:
            facts = observe_host(conversation, desired.bundles[host], marks_of(desired.topology, host))
            plan = diff_host(desired.bundles[host], facts)
            holds = False
            if plan.changes and "balancer" in desired.topology.hosts[host].roles:
                addresses = conversation.request("addresses")["addresses"]
                holds = str(desired.topology.virtual_ip) in addresses
            return _Seen(
                plan=plan, old=fetch_old_contents(conversation, plan), fingerprint=fingerprint(facts, plan), holds=holds,
                wrong_clock=wrong_clock(facts.clock_ahead_s), facts=facts,
            )  # fmt: skip

    with ThreadPoolExecutor(max_workers=1) as pool:
        asked = pool.submit(database_members, target, desired.topology)
        found = on_all([host for host in desired.bundles if not only or host in only], look)
        primary = find_primary(asked.result())
    seen = {host: answer for host, answer in found.items() if not isinstance(answer, TransportError)}
    new = find_newcomers(desired.topology, {host: one.facts for host, one in seen.items()})
    return PlannedChanges(
        plans=tuple(one.plan for one in seen.values()),
        old={host: one.old for host, one in seen.items()},
        fingerprints={host: one.fingerprint for host, one in seen.items()},
        primary=primary,
        holder=next((host for host, one in seen.items() if one.holds), None),
        left=tuple(hosts_that_left(target)),
        wrong_clocks=tuple(
            f"{host}: {one.wrong_clock}; more than an hour is refused by an apply"
            for host, one in seen.items()
            if one.wrong_clock
        ),
        newcomers=f"{newcomers_words(new, desired.topology)}; an apply refuses that" if new else "",
        unreachable=tuple(answer for answer in found.values() if isinstance(answer, TransportError)),
    )


def plan_view(
    plans: Sequence[HostPlan],
    topology: Topology,
    old: Mapping[str, Mapping[str, bytes]],
    primary: str | None,
    *,
    holder: str | None = None,
    batch: float | int = SHARE,
) -> PlanView:
    """Plans with their order and cost."""
    changed, at_once = frozenset(plan.host for plan in plans if plan.changes), speaks_anew(plans)
    fresh = frozenset(plan.host for plan in plans if plan.fresh)
    return PlanView(
        plans=plans,
        bundles={},
        old=old,
        batches=derive_rollout(
            topology,
            fresh=fresh,
            changed=changed,
            primary=primary,
            holder=holder,
            batch=batch,
            at_once=at_once,
            reloads=derive_reloads(plans, topology),
        ),
        costs={plan.host: derive_costs(plan, topology, primary, at_once=at_once) for plan in plans},
        notes=[_AT_ONCE] if at_once else [],
    )


_AT_ONCE = (
    "hosts will speak to each other in another way: before and after cannot serve together, so all change at once, and "
    "the service is interrupted meanwhile"
)


def view_of_return(found: Return, topology: Topology, primary: str | None) -> PlanView:
    """What a rollback changes; new contents are what the hosts keep."""
    view = plan_view(found.plans, topology, found.old, primary)
    return replace(view, kept=found.contents)
