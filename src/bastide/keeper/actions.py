"""What a keeper can do, and what it decides: values only.

In: nothing. Out: what `decide.py` and `takeover.py` give: `Decision` with its actions.
Holds: every value is frozen; what an action does is in the loops (`daemon.py`, `autopilot.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bastide.keeper.facts import Record
from bastide.keeper.seat import Seat

State = Literal[
    "starting",
    "initialising",
    "seeding",
    "running",
    "waiting-for-primary",
    "waiting-for-grant",
    "waiting-for-register",
    "promoting",
    "needs-reclone",
    "replication-broken",
    "conflict",
    "refused",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Propose:
    """Write this seat, if it is still the one that was seen."""

    seat: Seat


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """SIGKILL the server: SQL may hang, and a server that ends in order commits what nobody acknowledged."""

    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Have systemd start MariaDB. MASTER: keep all that the log holds; SLAVE: drop what was not committed."""

    role: Literal["MASTER", "SLAVE"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StopReceiving:
    """Stop the replica's receiving thread alone: what it received stays and is applied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseAndWait:
    """Planned: take no more writes, and wait until the standby has everything. Fails if that takes long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncRelay:
    """The replica has nearly caught up: from now on, what it acknowledges is on its disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetReplication:
    """An open primary drops what it was told as a replica. Not before it opens: nobody waits for this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Nudge:
    """Commit something small. A commit that was sent to the replica just before commits had to wait was sent without
    asking for an acknowledgement; it is released by that of a later one, which may never come by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reclone:
    """Put the data aside and copy the donor's."""

    donor: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Initialise:
    """Make a new, empty database with these accounts; it becomes the primary of epoch 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clone:
    """Copy the donor's data directory."""

    donor: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StartServer:
    """Have systemd start MariaDB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteRecord:
    """Replace the record, durably."""

    record: Record


@dataclass(frozen=True, kw_only=True, slots=True)
class SetPosition:
    """Tell a fresh copy where replication begins."""

    gtid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Follow:
    """Replicate from this peer; `demote` where the server was a primary."""

    source: str
    demote: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeReplication:
    """Start the replica threads again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenForWrites:
    """Reconcile the accounts and allow writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseForWrites:
    """read_only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SemiSync:
    """Let commits wait for a replica, or not."""

    on: bool


Action = (
    Initialise
    | Clone
    | StartServer
    | WriteRecord
    | SetPosition
    | Follow
    | ResumeReplication
    | OpenForWrites
    | CloseForWrites
    | SemiSync
    | Propose
    | Kill
    | Start
    | StopReceiving
    | SyncRelay
    | ForgetReplication
    | CloseAndWait
    | Nudge
    | Reclone
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What is so, and what is to be done, in order. A failed action ends the round; the next look decides anew."""

    state: State
    message: str
    actions: tuple[Action, ...] = ()


def propose(seat: Seat, why: str, *, state: State = "starting") -> Decision:
    """The seat shall be so, and nothing else happens."""
    return Decision(state=state, message=why, actions=(Propose(seat=seat),))
