"""MariaDB's GTIDs: `domain-server-sequence` lists, and whether one history holds another.

In: the server's own text (`0-17-42,1-17-3`). Out: mappings and verdicts. Raises ValueError on anything else.
"""

from __future__ import annotations

from collections.abc import Mapping

History = Mapping[tuple[int, int], int]
"""Highest sequence number of each (domain, server)."""


def parse_gtids(text: str) -> History:
    """A position or a binlog state; an empty text is an empty history."""
    found: dict[tuple[int, int], int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        domain, server, sequence = (int(n) for n in item.split("-"))
        found[domain, server] = max(sequence, found.get((domain, server), 0))
    return found


def find_errant(own_state: str, other_state: str, other_base: str) -> tuple[str, ...]:
    """Last transactions of each origin that `own_state` holds and the other server cannot have.

    `other_state` is its gtid_binlog_state: the last transaction of each origin that it wrote to its binlog.
    `other_base` is its gtid_slave_pos: a copy made by backup has older history than its binlog shows, and every
    sequence number of a domain up to there is in it.
    """
    other = parse_gtids(other_state)
    base: dict[int, int] = {}
    for (domain, _), sequence in parse_gtids(other_base).items():
        base[domain] = max(sequence, base.get(domain, 0))
    return tuple(
        f"{domain}-{server}-{sequence}"
        for (domain, server), sequence in sorted(parse_gtids(own_state).items())
        if other.get((domain, server), 0) < sequence
        and ((domain, server) in other or sequence > base.get(domain, 0))
    )


def behind(position: str, state: str) -> int:
    """How many transactions a position is behind another server's state, over all domains."""
    reached: dict[int, int] = {}
    for (domain, _), sequence in parse_gtids(position).items():
        reached[domain] = max(sequence, reached.get(domain, 0))
    newest: dict[int, int] = {}
    for (domain, _), sequence in parse_gtids(state).items():
        newest[domain] = max(sequence, newest.get(domain, 0))
    return sum(max(0, sequence - reached.get(domain, 0)) for domain, sequence in newest.items())


def covers(position: str, wanted: str) -> bool:
    """Whether a position (one transaction a domain) has reached another."""
    reached: dict[int, int] = {}
    for (domain, _), sequence in parse_gtids(position).items():
        reached[domain] = max(sequence, reached.get(domain, 0))
    return all(reached.get(domain, 0) >= sequence for (domain, _), sequence in parse_gtids(wanted).items())
