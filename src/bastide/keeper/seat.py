"""The primary's seat: the one value in etcd that says who may write, and whose disk holds every acknowledged write.

In: nothing; these are values, with their JSON. Out: `Seat`.
Holds: `owner` has every acknowledged write on its disk, always, but for what an operator gave up (`abandoned`); so has
`standby`, while its server keeps the replication session that is named here. Nobody else may be assumed to. `holder` may
write only in phase `open`, when it is the owner, too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

Phase = Literal["open", "promoting", "vacant"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standby:
    """A replica that acknowledged every write since it was named."""

    host: str
    session: str
    """Its replication session. A restarted replica loses what it had received but not applied, and has another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """The register's value. Each write is a compare-and-swap on the revision that its writer saw."""

    cluster: str
    """Which database this is, for ever; a data directory of another is refused."""
    epoch: int
    """Counts takings of the seat."""
    phase: Phase
    holder: str
    """Who renews the seat; empty when it is vacant."""
    owner: str
    standby: Standby | None
    n: int = 0
    """Counts renewals in this epoch: observers see that the holder lives, and whoever starts how old the epoch is."""
    paused: bool = False
    """The operator wants no automatic takeover."""
    flaps: int = 0
    """Automatic takeovers that followed each other soon."""
    heir: str = ""
    """In a planned switchover: who is asked to take the seat."""
    closed: bool = False
    """The owner took no more writes before it left, and the heir has applied all: the heir may open at once."""
    abandoned: int = 0
    """The epoch since which the operator goes on without the owner of before, who may hold acknowledged writes that nobody
    else has. 0: that never happened."""
    accounts: str = ""
    """Digest of the accounts that the database has: they are made once, not at each takeover."""
    writer: str = ""
    """Who wrote this, once: tells a lost answer from a lost request."""


def is_same(one: Seat | None, other: Seat | None) -> bool:
    """Whether they differ by renewals alone."""
    if one is None or other is None:
        return one is other
    return replace(one, n=other.n, writer=other.writer, accounts=other.accounts) == other


def format_seat(seat: Seat) -> str:
    """JSON."""
    return json.dumps(asdict(seat), sort_keys=True)


def parse_seat(text: str) -> Seat:
    """The value. Raises ValueError, KeyError or TypeError for anything that we did not write."""
    plain = json.loads(text)
    standby = plain.pop("standby")
    if plain["phase"] not in ("open", "promoting", "vacant"):
        raise ValueError(f"unknown phase {plain['phase']!r}")
    # A newer keeper may say more: an upgrade changes one host after the other.
    known = {name: value for name, value in plain.items() if name in Seat.__dataclass_fields__}
    return Seat(standby=Standby(**standby) if standby else None, **known)
