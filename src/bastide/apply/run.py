"""Apply: bring hosts to their bundles, safely and all together.

In: bundles and endpoints by host, the topology. Out: `ApplyResult`; events meanwhile.
Holds, in this order: nothing changes unless every host answers, or another one stands in for it and that was allowed;
nothing changes unless every changing host has staged and passed its checks; hosts change batch by batch (`batch.py`);
the first failure, or the first thing that is worse than before, stops what has not begun and undoes its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bastide.apply.batch import Batch, BatchTerms
from bastide.apply.clocks import refuse_wrong_clock
from bastide.apply.early import EarlyConversations
from bastide.apply.edge import Edge, EdgeView
from bastide.apply.events import BatchBegan, LeftBehind, Observed, OnEvent
from bastide.apply.expected import fingerprint, world_moved
from bastide.apply.journal import append_journal
from bastide.apply.lease import TTL_S, Leases
from bastide.apply.newcomers import refuse_newcomers
from bastide.apply.numbering import agree_on_number
from bastide.apply.observe import observe_host
from bastide.apply.result import ApplyResult, HostResult
from bastide.apply.work import Work
from bastide.bundle.model import HostBundle
from bastide.plan.cost import derive_reloads
from bastide.plan.diff import diff_host
from bastide.plan.facts import HostFacts
from bastide.plan.grants import decide_grants
from bastide.plan.marks import marks_of
from bastide.plan.steps import HostPlan
from bastide.plan.wire import speaks_anew
from bastide.policy.redundancy import derive_needed
from bastide.policy.rollout import SHARE, derive_rollout
from bastide.topology.model import Topology
from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import TransportError
from bastide.transport.ssh import open_conversation

_CONNECT = "connect"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplySettings:
    """How to apply."""

    who: str = ""
    """Shown to whoever finds the host locked, and kept in the journal."""
    confirm_s: float = 8.0
    """How long a host waits until it is reached over a new connection, before it goes back by itself."""
    keep: int = 5
    """Generations that stay on a host."""
    lock_wait_s: float = 10.0
    """How long to wait for a guard or a console at work on a host."""
    lease_s: float = TTL_S
    """How long a host keeps others away for us without hearing of us."""
    commit: str = ""
    """Of the spec; kept in the journals."""
    operation: Literal["apply", "rollback"] = "apply"
    numbers: Mapping[str, int] | None = None
    """By host, of the apply that a rollback returns to; None numbers a new apply."""
    on_purpose: str = ""
    """Of a rollback: what a host tells whoever asks why an older generation runs."""
    expected: Mapping[str, str] | None = None
    """Fingerprint of each host in a saved plan; a host that has another stops the run before anything changes."""
    batch: float | int = SHARE
    """Share, or number, of a redundant tier that changes at the same time."""
    drain_s: float = 20.0
    """How long running requests may take to end before a unit restarts."""
    settle_s: float = 0.0
    """How long a unit that was started must run before it is believed."""
    allow_stale: bool = False
    """Go on without hosts that are away and that another one stands in for."""
    health: str = ""
    """Path at which the balancers are asked whether the service is as well as before; empty asks nothing."""


def apply_bundles(
    bundles: Mapping[str, HostBundle],
    endpoints: Mapping[str, Endpoint],
    topology: Topology,
    *,
    on_event: OnEvent,
    archives: Callable[[str], Path],
    only: frozenset[str] | None = None,
    primary: str | None = None,
    state_dir: Path | None = None,
    settings: ApplySettings | None = None,
    early: EarlyConversations | None = None,
) -> ApplyResult:
    """Apply to all hosts, or to those in `only`. `archives` gives the file of an archive by its sha256."""
    terms = settings or ApplySettings()
    chosen = {name: bundle for name, bundle in bundles.items() if only is None or name in only}
    work = Work(bundles=chosen, endpoints=endpoints, on_event=on_event, archives=archives)
    run = _Run(work, topology, primary, terms, early)
    try:
        run.run()
    except KeyboardInterrupt:
        work.interrupted = True  # between two phases
    finally:
        run.leases.stop()
        work.close()
    result = ApplyResult(hosts=dict(work.results), interrupted=work.interrupted, number=run.number)
    if state_dir is not None:
        append_journal(state_dir, result, who=terms.who, commit=terms.commit, operation=terms.operation)
    return result


@dataclass
class _Run:
    """One apply under way."""

    work: Work
    topology: Topology
    primary: str | None
    settings: ApplySettings
    early: EarlyConversations | None = None
    facts: dict[str, HostFacts] = field(default_factory=dict)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    number: int = 0

    def __post_init__(self) -> None:
        self.leases = Leases(who=self.settings.who, ttl_s=self.settings.lease_s)

    def run(self) -> None:
        """Look, then stage and check, then activate; each only if what was before went well everywhere."""
        for host, bundle in self.work.bundles.items():
            self.work.results[host] = HostResult(host=host, outcome="not_reached", digest="")
            assert bundle.host == host, f"the bundle of {bundle.host} is named {host}"
        if not self._preflight() or not self._one_voter_at_a_time():
            return
        changing = frozenset(host for host, plan in self.plans.items() if plan.changes)
        for host in self.plans.keys() - changing:
            self.work.set(host, outcome="unchanged")
        if not self._as_planned() or not changing or not self._hold_leases():
            return
        self._change(changing)

    def _preflight(self) -> bool:
        """Look at every host at once; whether the run goes on, without those that may be left behind."""
        seen = self.work.everywhere(_CONNECT, self.work.bundles, self._observe)
        missing = frozenset(self.work.bundles) - seen
        if self.work.interrupted or not missing:
            return not self.work.interrupted
        away = frozenset(host for host in missing if self.work.results[host].phase == _CONNECT)
        if not self.settings.allow_stale or away != missing:
            return False
        needed = derive_needed(self.topology, away, self.primary)
        for host, why in needed.items():
            self.work.set(host, hint=f"It may not be left behind: {why}. {self.work.results[host].hint}")
        if needed:
            return False
        for host in sorted(away):
            self.work.set(host, outcome="stale")
            self.work.tell(LeftBehind(host=host, message=self.work.results[host].message))
        return True

    def _one_voter_at_a_time(self) -> bool:
        """Whether voters that never voted are too few to agree without the others."""
        refused = refuse_newcomers(self.topology, self.facts)
        for failed in refused:
            self.work.fail("observe", failed.host, failed)
        return not refused

    def _as_planned(self) -> bool:
        """Whether every host is as a saved plan has it; True without one."""
        expected = self.settings.expected
        if expected is None:
            return True
        moved = [host for host, plan in self.plans.items() if fingerprint(self.facts[host], plan) != expected[host]]
        if moved:
            for host in self.plans:
                self.work.set(host, outcome="not_reached")
        for host in moved:
            self.work.fail("compare", host, world_moved(host))
        return not moved

    def _hold_leases(self) -> bool:
        """Be the only one at work on the hosts of this run, and number it."""
        try:
            tokens = {host: facts.token for host, facts in self.facts.items()}
            self.leases.take({host: self.work.conversations[host] for host in tokens}, tokens)
        except TransportError as error:
            self.work.fail("lease", error.host, error)
            return False
        if self.settings.numbers is None:
            seen = max(facts.number for facts in self.facts.values()) + 1
            others = (name for name in self.topology.hosts if name not in self.facts)
            elsewhere = [self.work.endpoints[name] for name in others if name in self.work.endpoints]
            self.number = agree_on_number(seen, self.work.conversations, elsewhere)
        return True

    def _observe(self, host: str) -> None:
        endpoint = self.work.endpoints[host]
        conversation = self.early.take(endpoint) if self.early else open_conversation(endpoint)
        self.work.conversations[host] = conversation
        facts = observe_host(conversation, self.work.bundles[host], marks_of(self.topology, host))
        plan = diff_host(self.work.bundles[host], facts)
        if plan.changes and self.settings.operation == "apply":
            refuse_wrong_clock(host, facts.clock_ahead_s)
        self.facts[host], self.plans[host] = facts, plan
        if not plan.changes and facts.on_purpose and self.settings.operation == "apply":
            conversation.request("settle")
        self.work.set(host, digest=facts.generation)
        self.work.tell(Observed(host=host, changes=plan.changes, fresh=facts.fresh))

    def _stage(self, host: str) -> None:
        bundle = self.work.bundles[host]
        self.work.request(
            host,
            "stage",
            manifest=bundle.manifest,
            digest=bundle.digest,
            who=self.settings.who,
            lock_wait_s=self.settings.lock_wait_s,
            kind=self.settings.operation,
        )
        self.work.request(host, "check", digest=bundle.digest)

    def _stage_and_look(self, changing: frozenset[str], edge: Edge) -> Mapping[str, EdgeView] | None:
        """Stage and check everywhere; meanwhile the balancers say how they see the service. None if a host failed."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            seen = pool.submit(edge.look)
            staged = self.work.everywhere("stage", sorted(changing), self._stage)
        return seen.result() if staged == changing else None

    def _change(self, changing: frozenset[str]) -> None:
        """Stage everywhere, then change one batch after the other, until one does not go well."""
        fresh = frozenset(host for host, facts in self.facts.items() if facts.fresh)
        away = frozenset(host for host, result in self.work.results.items() if result.outcome == "stale")
        at_once = speaks_anew(self.plans.values())
        all_fresh = fresh >= self.topology.hosts.keys() - away
        # Where all change together there is nobody to serve meanwhile: nothing is drained, and nothing compared.
        health = "" if all_fresh or at_once else self.settings.health
        edge = Edge(self.topology, self.work.endpoints, health, away)
        try:
            views = self._stage_and_look(changing, edge)
            if views is None:
                return
            batches = derive_rollout(
                self.topology,
                fresh=fresh,
                changed=changing,
                primary=self.primary,
                holder=next((name for name, view in views.items() if view.holds_virtual_ip), None),
                away=away,
                batch=self.settings.batch,
                at_once=at_once,
                reloads=derive_reloads(self.plans.values(), self.topology),
            )
            grants = decide_grants(self.topology, self.facts)
            for number, names in enumerate(batches, start=1):
                self.work.tell(BatchBegan(number=number, of=len(batches), hosts=names))
                batch = Batch(self.work, edge, self._terms(), self.plans, grants, views)
                if not batch.change(names) or self.work.interrupted:
                    return
        finally:
            edge.close()

    def _terms(self) -> BatchTerms:
        return BatchTerms(
            who=self.settings.who,
            confirm_s=self.settings.confirm_s,
            keep=self.settings.keep,
            lock_wait_s=self.settings.lock_wait_s,
            drain_s=self.settings.drain_s,
            settle_s=self.settings.settle_s,
            number=self.number,
            numbers=self.settings.numbers or {},
            commit=self.settings.commit,
            kind=self.settings.operation,
            on_purpose=self.settings.on_purpose,
        )
