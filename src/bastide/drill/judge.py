"""The verdict: what clients were told, what the databases hold, and what was expected, put side by side.

In: Ledger, Watch, rows found, the marks of time, the Expectation. Out: `Judgement`. Pure.
Holds: an outage is the longest time in which nobody got an answer, from the last success before the fault on; what is no
longer than twice the longest such time before the fault is no outage. A visitor's write needs the site and the database, so
an outage of writes is one of either. Nothing is proven by what was not watched: without writes there is no verdict on
what was lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bastide.drill.ledger import Ledger, Read
from bastide.drill.scenario import Course, Expectation
from bastide.drill.watch import Watch

Verdict = Literal["met", "failed", "not_tested"]
LAST_S = 2.0
"""How things stand at the end of the fault is judged by this much of it."""
ANSWER_S = 0.2
"""A read that was asked later than this before the end says nothing yet."""
GOES_ON = 0.9
"""Of the reads that were asked last under the fault, so many must be answered if reads go on."""
LEAST = 10
"""With fewer answers before the fault there was no load, and so no drill."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """When what happened, on the controller's clock."""

    began: float
    """The load was there."""
    broken: float
    """The fault was ordered."""
    held: float
    """It had taken effect."""
    restoring: float
    """Its end was ordered."""
    restored: float
    """Everything was healthy again."""
    over: float
    """The load ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What every database held in the end."""

    ids: Mapping[str, Mapping[int, int]]
    """By host: how often each id is there."""
    positions: Mapping[str, str]
    checksums: Mapping[str, str]

    @property
    def agreed(self) -> bool:
        """Whether all hold the same."""
        return len(set(self.positions.values())) <= 1 and len(set(self.checksums.values())) <= 1


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What came of one scenario."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it is not `met`."""
    outage_read_s: float
    outage_write_s: float | None
    """None where there was nothing to write to."""
    outage_read_at_s: float
    outage_write_at_s: float | None
    """When these began, in seconds from the fault; the last success may lie a moment before it."""
    requests: int
    failed: int
    retried: int
    failures: Mapping[str, int]
    """Failed reads by what was said."""
    acknowledged: int
    refused: int
    unknown: int
    lost: int
    duplicated: int
    refused_but_present: int
    unread: int
    """Acknowledged writes that their writer did not see at once."""
    two_writers_s: float
    looks: int
    look_each_s: float
    agreed: bool
    latency_ms: Mapping[str, float]
    """p50 and p99 of answered reads before and during the fault, and of acknowledged writes before it."""


def judge(ledger: Ledger, watch: Watch, rows: Rows, marks: Marks, expect: Expectation) -> Judgement:
    """The verdict."""
    read_ends = [read.ended for read in ledger.reads if read.ok]
    write_ends = [write.ended for write in ledger.writes if write.ok]
    read_at, outage_read = _outage(read_ends, marks)
    written_at, unwritten = _outage(write_ends, marks)
    outage_write = max(outage_read, unwritten) if ledger.writing else None
    write_at = written_at if unwritten >= outage_read else read_at
    told = _told(ledger, rows)
    together = sum(b - a for _, _, (a, b) in watch.together())
    reasons = [
        *_about_reads(ledger, marks, expect, outage_read),
        *_about_writes(ledger, marks, expect, outage_write),
        *_about_rows(told, rows, together),
    ]
    untested = _untested(ledger, marks)
    during = [read for read in ledger.reads if marks.broken <= read.due < marks.restored]
    return Judgement(
        verdict="not_tested" if untested else "failed" if reasons else "met",
        reasons=tuple(untested or reasons),
        outage_read_s=outage_read, outage_write_s=outage_write, outage_read_at_s=read_at - marks.broken,
        outage_write_at_s=None if outage_write is None else write_at - marks.broken,
        requests=len(ledger.reads), failed=sum(not r.ok for r in ledger.reads),
        retried=sum(r.retried for r in ledger.reads) + sum(w.tries > 1 for w in ledger.writes),
        failures=dict(Counter(str(r.said) for r in ledger.reads if not r.ok)),
        acknowledged=len(write_ends), refused=sum(w.fate == "refused" for w in ledger.writes),
        unknown=sum(w.fate == "unknown" for w in ledger.writes),
        two_writers_s=together, looks=watch.looks, look_each_s=watch.typical_s, agreed=rows.agreed,
        latency_ms={
            **_latency("read_before", (r.ended - r.due for r in ledger.reads if r.ok and r.ended < marks.broken)),
            **_latency("read_during", (r.ended - r.due for r in during if r.ok)),
            **_latency("write_before", (w.ended - w.began for w in ledger.writes if w.ok and w.ended < marks.broken)),
        },
        **told,
    )  # fmt: skip


def course(ledger: Ledger, now: float, *, since: float) -> tuple[Course | None, Course | None]:
    """What reads and writes seem to do now; None while that cannot be said. For the wait while a fault lasts."""
    if now - since < LAST_S:
        return None, None
    reads = _asked_last(ledger, now)
    ok = sum(read.ok for read in reads)
    # A read that hangs has not been told yet: as many were asked as before, and of those the verdict will want as many.
    goes_on = ok >= GOES_ON * max(len(reads), len(_asked_last(ledger, since)))
    recent: Course | None = "stop" if not ok else "go_on" if goes_on else None
    written = any(write.ok and write.ended >= now - LAST_S for write in ledger.writes)
    if not ledger.writing:
        return recent, recent
    if recent == "stop":
        return recent, "stop"
    return recent, "go_on" if written else "stop"


def _outage(ends: Sequence[float], marks: Marks) -> tuple[float, float]:
    """When it began and how long it was."""
    before = sorted(end for end in ends if end <= marks.broken)
    usual = max((b - a for a, b in pairwise(before)), default=0.0)
    last = before[-1] if before else marks.began
    after = [last, *sorted(end for end in ends if end > marks.broken), marks.over]
    longest, start = max((b - a, a) for a, b in pairwise(after))
    return (start, longest) if longest > 2 * usual else (marks.broken, 0.0)


def _asked_last(ledger: Ledger, until: float) -> list[Read]:
    """Reads of the last LAST_S before then, without those that could hardly have been answered."""
    return [read for read in ledger.reads if until - LAST_S <= read.due < until - ANSWER_S]


def _last_reads(ledger: Ledger, marks: Marks) -> tuple[list[Read], int]:
    """Reads that were asked last under the fault, and how many of them were answered while it lasted."""
    asked = _asked_last(ledger, marks.restoring)
    return asked, sum(read.ok and read.ended <= marks.restoring for read in asked)


def _about_reads(ledger: Ledger, marks: Marks, expect: Expectation, outage_s: float) -> Iterator[str]:
    asked, ok = _last_reads(ledger, marks)
    if expect.reads == "stop":
        if ok:
            yield f"reads went on, and were expected to stop: {ok} of the last {len(asked)} were answered"
        return
    if ok < GOES_ON * len(asked):
        yield f"reads were expected to go on: only {ok} of the last {len(asked)} under the fault were answered"
    if outage_s > expect.within_s:
        yield f"no read for {outage_s:.1f} s; expected were at most {expect.within_s:g} s"
    failed = sum(not read.ok for read in ledger.reads)
    if expect.failed is not None and failed > expect.failed:
        yield f"{failed} reads failed; expected were at most {expect.failed}"


def _about_writes(ledger: Ledger, marks: Marks, expect: Expectation, outage_s: float | None) -> Iterator[str]:
    if outage_s is None:
        return
    _, reads_ok = _last_reads(ledger, marks)
    last = sum(w.ok and marks.restoring - LAST_S <= w.ended < marks.restoring for w in ledger.writes)
    if expect.writes == "stop":
        if last and reads_ok:
            yield f"writes went on, and were expected to stop: {last} in the last {LAST_S:g} s of the fault"
        return
    if not last:
        yield "writes were expected to go on: there was none in the last seconds of the fault"
    if outage_s > expect.within_s:
        yield f"no write for {outage_s:.1f} s; expected were at most {expect.within_s:g} s"


def _told(ledger: Ledger, rows: Rows) -> dict[str, int]:
    acknowledged = {write.id for write in ledger.writes if write.ok}
    refused = {write.id for write in ledger.writes if write.fate == "refused"}
    held = rows.ids.values()
    return {
        # Each database must have each: the one that lacks most counts.
        "lost": max((len(acknowledged - set(ids)) for ids in held), default=0),
        "duplicated": max((sum(count > 1 for count in ids.values()) for ids in held), default=0),
        "refused_but_present": max((len(refused & set(ids)) for ids in held), default=0),
        "unread": sum(write.read_again is False for write in ledger.writes),
    }


def _about_rows(told: Mapping[str, int], rows: Rows, together_s: float) -> Iterator[str]:
    if told["lost"]:
        yield f"{told['lost']} acknowledged writes are lost"
    if told["duplicated"]:
        yield f"{told['duplicated']} writes are there more than once"
    if told["refused_but_present"]:
        yield f"{told['refused_but_present']} writes were refused, and are there"
    if told["unread"]:
        yield f"{told['unread']} acknowledged writes could not be read at once"
    if together_s > 0:
        yield f"two databases took writes at once, for {together_s:.3f} s"
    if not rows.agreed:
        yield "the databases do not agree in the end: " + "; ".join(
            f"{host} {position}, checksum {rows.checksums.get(host)}" for host, position in rows.positions.items()
        )


def _untested(ledger: Ledger, marks: Marks) -> list[str]:
    reads = sum(read.ok and read.ended <= marks.broken for read in ledger.reads)
    writes = sum(write.ok and write.ended <= marks.broken for write in ledger.writes)
    if reads < LEAST:
        return [f"only {reads} reads were answered before the fault: there was no load"]
    if ledger.writing and writes < LEAST:
        return [f"only {writes} writes were acknowledged before the fault: there was no load"]
    return []


def _latency(name: str, seconds: Iterable[float]) -> dict[str, float]:
    found = sorted(seconds)
    if not found:
        return {}
    return {
        f"{name}_{label}": round(quantile(found, share) * 1000, 1) for label, share in (("p50", 0.5), ("p99", 0.99))
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values, by the nearest rank. Raises ValueError without any."""
    if not ordered:
        raise ValueError("no values")
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
