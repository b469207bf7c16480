"""One batch: its hosts change together, are believed together, or go back together.

In: the work, the edge, plans, what the balancers saw before. Out: whether all is well; results by host.
Holds: a host that changed is reached over a new connection, or goes back by itself; nothing is confirmed unless every
host of the batch activated and the balancers see nothing worse than before; otherwise every host of the batch that
had a previous generation has it back. A host that was fresh has nothing to go back to that serves, and stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from bastide.apply.edge import Edge, EdgeView, Regression
from bastide.apply.events import HostFinished, HostStopped, Progressed
from bastide.apply.observe import close_all
from bastide.apply.work import Work
from bastide.plan.steps import HostPlan, RemoveUnit, RestartUnit, StartUnit
from bastide.transport.errors import HostFailed, HostUnreachable, TransportError
from bastide.transport.ssh import Conversation, open_conversation

_HOLD_S = 45.0
"""How long a host that was reached waits for the rest of its batch; renewed every few seconds."""
_TIMES_AS_LONG, _LONGEST_CONFIRM_S = 4, 10.0
"""A new connection to a busy host takes about as long as the first one took. Going back takes some seconds more, and who is
locked out is to be back within 15 s."""
_FRESH_PATIENCE = 5
"""A host that serves nothing yet may wait longer for us: many start at once then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchTerms:
    """How a batch changes; see `ApplySettings`."""

    who: str
    confirm_s: float
    keep: int
    lock_wait_s: float
    drain_s: float
    settle_s: float
    number: int
    """Of the apply."""
    numbers: Mapping[str, int]
    """By host, of the apply that a rollback returns to."""
    commit: str
    kind: str
    on_purpose: str


@dataclass
class Batch:
    """One batch under way."""

    work: Work
    edge: Edge
    terms: BatchTerms
    plans: Mapping[str, HostPlan]
    grants: Mapping[str, Iterable[str]]
    before: Mapping[str, EdgeView]
    proofs: dict[str, Conversation] = field(default_factory=dict)
    """The new connections over which hosts were reached after their change."""
    began: dict[str, float] = field(default_factory=dict)

    def change(self, hosts: tuple[str, ...]) -> bool:
        """Activate, look, confirm. False when something failed; the batch is undone then."""
        try:
            changed = self.work.everywhere("activate", hosts, self._activate, meanwhile=self._hold_on)
            if self._has_failed(hosts):
                self._undo(changed, "another host of its batch failed")
                return False
            worse = self.edge.await_as_good(self.before) if changed else None
            if worse is not None:
                self._blame(hosts, worse)
                return False
            confirmed = self.work.everywhere("confirm", changed, self._confirm)
            if self._has_failed(hosts):
                self._undo(confirmed, "another host of its batch could not be confirmed")
                return False
            return True
        finally:
            close_all(self.proofs.values())

    def _has_failed(self, hosts: Iterable[str]) -> bool:
        return any(self.work.results[host].outcome == "failed" for host in hosts)

    def _activate(self, host: str) -> None:
        self.began[host] = time.monotonic()
        digest, fresh = self.work.bundles[host].digest, self.plans[host].fresh
        confirm_s = self._patience(host) * (_FRESH_PATIENCE if fresh else 1)
        with self.edge.drained(host, _started_anew(self.plans[host]), self.terms.drain_s):
            try:
                self.work.request(
                    host,
                    "activate",
                    digest=digest,
                    who=self.terms.who,
                    confirm_s=confirm_s,
                    lock_wait_s=self.terms.lock_wait_s,
                    grants=list(self.grants.get(host, ())),
                    settle_s=self.terms.settle_s,
                    drain_s=self.terms.drain_s,
                    number=self.terms.numbers.get(host, self.terms.number),
                    commit=self.terms.commit,
                    kind=self.terms.kind,
                    on_purpose=self.terms.on_purpose,
                )
            except HostFailed as failed:
                if failed.code != "lost":
                    raise
                self._await_end(host, digest, failed, confirm_s)
            self._reach(host, digest, confirm_s)

    def _patience(self, host: str) -> float:
        """How long the host waits to be reached: what a slow one needs to be reached at all, within limits."""
        slow = _TIMES_AS_LONG * self.work.conversations[host].opened_in_s
        return max(self.terms.confirm_s, min(_LONGEST_CONFIRM_S, slow))

    def _await_end(self, host: str, digest: str, lost: HostFailed, confirm_s: float) -> None:
        """The connection broke in mid-way; the host goes on by itself. Return when it got there, else raise."""
        end = time.monotonic() + 2 * confirm_s + 10
        phase = ""
        while time.monotonic() < end:
            with suppress(TransportError), open_conversation(self.work.endpoints[host], fresh=True) as talk:
                answer = talk.request("phase")
                phase = answer["phase"] if answer["digest"] == digest else "elsewhere"
            if phase == "provisional":
                return
            if phase in ("rolled-back", "failed", "confirmed", "elsewhere"):
                break
            time.sleep(0.5)
        raise HostFailed(
            host,
            lost.message,
            operation="activate",
            code="lost",
            lines=lost.lines,
            hint=_WHERE_IT_IS.get(phase, f"It does not answer; it goes back by itself. {lost.hint}"),
        )

    def _reach(self, host: str, digest: str, confirm_s: float) -> None:
        """Over a new connection: what is kept open would live on under a firewall that lets nobody in."""
        self.work.tell(Progressed(host=host, phase="reach", text=""))
        gone: HostUnreachable | None = None
        end = time.monotonic() + confirm_s
        while True:
            try:
                # One patient attempt: a busy host may take long to shake hands, and a second one would begin anew.
                proof = open_conversation(self.work.endpoints[host], fresh=True, connect_s=confirm_s + 2)
                self.proofs[host] = proof
                proof.request("hold", digest=digest, hold_s=_HOLD_S)
                return
            except HostUnreachable as away:
                gone = away
            except HostFailed as failed:
                if failed.code != "not-provisional":
                    raise
                raise _locked_out(host, gone, "It has put its previous generation back by itself.") from failed
            if time.monotonic() >= end:
                break
            time.sleep(0.5)  # sshd may just be starting again
        raise _locked_out(host, gone, self._await_return(host, digest, confirm_s)) from gone

    def _await_return(self, host: str, digest: str, confirm_s: float) -> str:
        end = time.monotonic() + confirm_s + 10
        while time.monotonic() < end:
            with suppress(TransportError), open_conversation(self.work.endpoints[host], fresh=True) as talk:
                if talk.request("phase")["phase"] == "rolled-back":
                    return "It has put its previous generation back by itself."
            time.sleep(0.5)
        return f"Within {confirm_s:g} s of the change it goes back by itself; it has not answered since."

    def _hold_on(self, done: frozenset[str]) -> None:
        """Those that are done wait for the others."""
        for host in done:
            with suppress(TransportError):
                self.proofs[host].request("hold", digest=self.work.bundles[host].digest, hold_s=_HOLD_S)

    def _confirm(self, host: str) -> None:
        digest = self.work.bundles[host].digest
        self.work.tell(Progressed(host=host, phase="confirm", text=""))
        heard = self.work.hears(host, "confirm")
        self.proofs[host].request("confirm", on_event=heard, digest=digest, keep=self.terms.keep)
        seconds, changes = time.monotonic() - self.began[host], self.plans[host].changes
        self.work.set(host, outcome="changed", changes=changes, digest=digest, seconds=seconds)
        self.work.tell(HostFinished(host=host, changes=changes, seconds=seconds))

    def _blame(self, hosts: tuple[str, ...], worse: Regression) -> None:
        """The service got worse: every host of the batch goes back, and says why."""
        self._undo(frozenset(hosts), worse.message)
        for host in hosts:
            hint = self.work.results[host].hint
            self.work.set(host, outcome="failed", phase="health", message=worse.message, lines=worse.lines)
            self.work.tell(
                HostStopped(host=host, phase="health", message=worse.message, lines=worse.lines, hint=hint)
            )

    def _undo(self, hosts: frozenset[str], why: str) -> None:
        """Put back what these hosts had before the batch; those that had nothing are confirmed as they are."""
        fresh = frozenset(host for host in hosts if self.plans[host].fresh)
        self.work.everywhere("confirm", fresh - self._confirmed(), self._confirm)
        for host in hosts - fresh:
            self.work.set(host, outcome="undone", message=f"its previous generation is back: {why}")
        self.work.everywhere("undo", hosts - fresh, self._put_back)

    def _confirmed(self) -> frozenset[str]:
        return frozenset(host for host, result in self.work.results.items() if result.outcome == "changed")

    def _put_back(self, host: str) -> None:
        digest = self.work.bundles[host].digest
        self.work.tell(Progressed(host=host, phase="undo", text=""))
        with self.edge.drained(host, _started_anew(self.plans[host]), self.terms.drain_s):
            said = self.proofs[host].request(
                "undo", digest=digest, who=self.terms.who, why=self.work.results[host].message
            )["said"]
        self.work.set(host, hint=str(said), changes=0)


_WHERE_IT_IS = {
    "rolled-back": "It has put its previous generation back by itself. Apply again.",
    "confirmed": "It is as it was before. Apply again.",
    "elsewhere": "It is as it was before. Apply again.",
    "failed": "ITS ROLLBACK FAILED TOO: look at this host now.",
}


def _locked_out(host: str, gone: HostUnreachable | None, after: str) -> HostFailed:
    why = gone.message if gone is not None else "a new connection came about too late"
    return HostFailed(
        host,
        f"cannot be reached over a new connection after the change ({why})",
        operation="confirm",
        code="lost",
        lines=gone.lines if gone is not None else (),
        hint=f"{after} Look at what the change does to sshd, the firewall and the network: bastide plan.",
    )


def _started_anew(plan: HostPlan) -> frozenset[str]:
    return frozenset(step.name for step in plan.steps if isinstance(step, RestartUnit | StartUnit | RemoveUnit))
