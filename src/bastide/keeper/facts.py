"""What the keeper knows when it decides: values only.

In: nothing. Out: what `decide.py` and `takeover.py` take; what they give is in `actions.py`.
Holds: every value is frozen; times are seconds of one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bastide.keeper.seat import Seat

Role = Literal["primary", "replica"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What the data directory says about itself; it travels with the data."""

    role: Role
    epoch: int
    """Counts primaries: whoever is promoted writes a higher one. The highest wins."""
    seed_gtid: str | None = None
    """A fresh copy: where replication must begin. None once that is set in the server."""
    cluster: str = ""
    """Which database this is a part of, as etcd names it; empty where it was never kept by votes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replication:
    """The server as a replica."""

    source: str
    io: str
    """Yes, No, Connecting or Preparing."""
    sql: str
    lag_s: float | None
    io_errno: int
    error: str
    gtid_io_pos: str

    @property
    def streaming(self) -> bool:
        """Both threads work."""
        return self.io == "Yes" and self.sql == "Yes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """The MariaDB of this host, when it answers."""

    read_only: bool
    gtid_binlog_pos: str
    gtid_binlog_state: str
    gtid_slave_pos: str
    replication: Replication | None
    semi_sync: bool
    """The primary side waits for acknowledgements."""
    sync_clients: int
    waiting: int
    """Commits that wait for an acknowledgement now."""
    acknowledged: int
    """Commits that got one, ever."""
    unacknowledged: int
    """Commits that went without, ever."""
    relay_synced: bool = True
    """What it receives as a replica is on disk before it is acknowledged."""
    queries: int = 0
    """Statements since its start, the keeper's own among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Another keeper's latest answer; None where it has not answered lately."""

    host: str
    source: str
    """What a replica of it connects to."""
    answered: bool
    role: Role | None = None
    epoch: int = 0
    state: str = ""
    follows_us: bool = False
    gtid_binlog_state: str | None = None
    """None while its server does not answer: then nothing is known of its history."""
    gtid_slave_pos: str = ""
    gtid_io_pos: str = ""
    session: str = ""
    """Its replication session, with automatic failover."""
    synced: bool = True
    """What it receives is on disk before it acknowledges it. An older keeper does not say so: there it always is."""
    copy_bytes: int = 0
    """What a copy of its data needs; 0 where it does not say."""
    room_bytes: int = 0
    """What is free on its data's disk; 0 where it does not say."""
    seen_s: float = float("-inf")
    """What it says of its server was so at that time of our clock, or later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One look at the world."""

    now_s: float
    data: Literal["empty", "ours", "foreign"]
    granted: bool
    record: Record | None
    server: Server | None
    peers: tuple[Peer, ...]
    job: Literal["initialising", "seeding"] | None
    """Long work that is under way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What must be known of earlier looks."""

    started_s: float
    start_asked_s: float = float("-inf")
    opened: bool = False
    """Has established the primary role since it started."""
    errant_since_s: float | None = None
    detached_since_s: float | None = None
    attached_since_s: float | None = None
    acknowledged: int = 0
    retried_s: float = float("-inf")
    streamed_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at the world of a keeper with automatic failover. Ages and times: seconds of CLOCK_BOOTTIME."""

    now_s: float
    seen_s: float
    """When this look at the server began; what happened since is not in it."""
    host: str
    register: Literal["silent", "absent", "known"]
    """What etcd said since the keeper started: nothing yet, that there is no seat, or `seat`."""
    seat: Seat | None
    """As last seen."""
    settled: bool
    """The last proposal of this keeper was answered; none can still arrive."""
    seat_age_s: float
    """Since its last change was seen."""
    quiet_s: float
    """So long after its last change was seen, most voters still knew of no other."""
    epoch_age_s: float
    """Since its epoch was first seen."""
    lease: bool
    """This host holds the seat and its time runs."""
    data: Literal["empty", "ours", "foreign"]
    granted: bool
    record: Record | None
    process: bool
    """A server of ours runs, whether it answers or not."""
    frozen_s: float
    """How long the process has been stopped."""
    stuck_s: float
    """How long it has not answered."""
    clean: bool
    """The server was closed by a planned switchover: everything that it holds is acknowledged."""
    server: Server | None
    session: str
    """The replica's session, while its server keeps it; empty: none."""
    peer: Peer
    job: Literal["initialising", "seeding"] | None
    order: Literal["switchover", "failover", "reinit", "abandon", ""]
    strict: bool
    hold_s: float
    fresh_name: str
    """A name for a new database."""
    revokes: bool = True
    """Always, but for the model test's control experiment."""
    vouched: bool = False
    """The lease runs by the standby's word: etcd does not answer."""
    room_bytes: int | None = None
    """What is free on the data's disk; None where that cannot be asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What must be known of earlier looks, with automatic failover."""

    opened_s: float | None = None
    """When this keeper opened the server for writes."""
    acknowledged: int = 0
    moved_s: float | None = None
    """When commits were last seen to go on."""
    followed_s: float | None = None
    attached_since_s: float | None = None
    grow_pos: str | None = None
    """A replica that has received up to here, while commits wait, may be named standby."""
    grow_session: str = ""
    near_pos: str | None = None
    """What the replica must have received before commits begin to wait for it."""
    errant_since_s: float | None = None
    errant: frozenset[str] = frozenset()
    """Surplus transactions that were seen at every look since then."""
    broken_since_s: float | None = None
    retried_s: float = float("-inf")
    left_s: float = float("-inf")
    """When this holder last tried to hand over for want of room."""
    left_off_s: float = float("-inf")
    """When this standby last had a reason not to receive: its primary was silent."""
    streamed_s: float | None = None
