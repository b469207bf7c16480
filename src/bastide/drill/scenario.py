"""What a drill does: break what, for how long, and what is expected to happen.

In: nothing; these are values. Out: `Scenario`. Holds: whatever it is that breaks, no acknowledged write may be lost or
doubled, nothing that was refused may be there, all databases agree in the end, and never do two take writes; this is
expected of every scenario and need not be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Course = Literal["go_on", "stop"]
"""What reads or writes are expected to do while the fault lasts: go on (after a takeover, perhaps), or stop."""
Kind = Literal[
    "kill",
    "crash",
    "freeze",
    "cut",
    "reboot",
    "loss",
    "part",
    "full",
    "expire",
    "expire-edge",
    "clock",
    "switchover",
    "rotate",
    "deploy",
]
KINDS: dict[Kind, str] = {
    "kill": "a host loses power; a service is killed, and stays away",
    "crash": "a service is killed once (SIGKILL) and left to whoever restarts it",
    "freeze": "a host or service stops running, without an end: as a hypervisor that pauses it, as SIGSTOP",
    "cut": "a host's network cables are pulled",
    "reboot": "a host reboots, in order",
    "loss": "a host loses a share of all packets, both ways (SSH is spared)",
    "part": "a host and some others no longer hear each other; everybody else does",
    "full": "a host's disk is full (in labs whose machines have disks of their own: bastide up --disk 4G)",
    "expire": "the certificates that a host shows to other hosts run out, and its services have read them again",
    "expire-edge": "the certificate that visitors see runs out, on every balancer",
    "clock": "for a host's services the clock jumps an hour ahead, and back in the end",
    "switchover": "another database is made primary, as planned work",
    "rotate": "every certificate is issued anew and brought to its host by a rolling apply",
    "deploy": "the application's code is rolled out as another release, and back",
}
ON_SERVERS: frozenset[Kind] = frozenset({"kill", "crash", "freeze", "reboot", "switchover"})
"""What can be done to servers and undone over SSH; of `kill` and `freeze` only services."""
WHOLE: frozenset[Kind] = frozenset({"expire-edge", "switchover", "rotate", "deploy"})
"""What is done to the whole, and so has no target."""
CLOCKED = ("haproxy", "nginx", "sqlproxy", "mariadb", "keeper")
"""Products of `clock`."""
WITHIN_S = 30.0
"""How long a takeover may take unless a scenario says otherwise: it tells "goes on" from "stops", no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultSpec:
    """What breaks."""

    kind: Kind
    targets: tuple[str, ...] = ()
    """Hosts (`web1`) or services (`web1/nginx`), hit together; before it runs also `primary` and the like."""
    peers: tuple[str, ...] = ()
    """Of `part`: whom the targets no longer hear."""
    share: float = 0.0
    """Of `loss`: the share of packets, 0 to 1."""

    def __str__(self) -> str:
        what = f"{self.kind} {' and '.join(self.targets)}".strip()
        if self.share:
            what += f", {self.share:.0%} of packets"
        return f"{what} from {' and '.join(self.peers)}" if self.peers else what


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What should happen."""

    reads: Course
    writes: Course
    why: str
    """Whose word this is, and the reason."""
    within_s: float = WITHIN_S
    """The longest outage of what goes on, and the longest wait for what stops."""
    failed: int | None = None
    """The most reads that may fail; None leaves that open."""

    def __str__(self) -> str:
        words = {"go_on": "go on", "stop": "stop"}
        if self.reads == self.writes:
            return f"reads and writes {words[self.reads]}"
        return f"reads {words[self.reads]}, writes {words[self.writes]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One thing to try."""

    name: str
    """As it is called on the command line."""
    proves: str
    """The hypothesis, in a sentence."""
    fault: FaultSpec
    hold_s: float
    """The fault lasts at least so long, and longer while what is expected has not shown yet."""
    expect: Expectation | None = None
    """None: what `policy` predicts for that loss, with the database's primary of the moment."""
