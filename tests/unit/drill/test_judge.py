"""The judge sees what it is there to see: every invariant is broken once, on purpose, and it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bastide.drill.judge import LEAST, Judgement, Marks, Rows, course, judge, quantile
from bastide.drill.ledger import Ledger, Read, Write
from bastide.drill.scenario import Course, Expectation
from bastide.drill.watch import Stretch, Watch

MARKS = Marks(began=0, broken=5, held=5.1, restoring=15, restored=18, over=20)
GO_ON = Expectation(reads="go_on", writes="go_on", why="a test", within_s=5)
STOP = Expectation(reads="stop", writes="stop", why="a test", within_s=5)


def read(at: float, said: int | str = 200, took: float = 0.01) -> Read:
    return Read(due=at, ended=at + took, said=said, retried=False)


def write(number: int, at: float, fate: str = "acknowledged") -> Write:
    return Write(id=number, fate=fate, began=at, ended=at + 0.01, tries=1, read_again=None)  # type: ignore[arg-type]


def ledger(*outages: tuple[float, float], writing: bool = True) -> Ledger:
    """Ten reads and writes a second for twenty seconds; within an outage, none succeeds."""

    def out(at: float) -> bool:
        return any(a <= at < b for a, b in outages)

    moments = [number / 10 for number in range(200)]
    return Ledger(
        reads=tuple(read(at, "ConnectionRefusedError" if out(at) else 200) for at in moments),
        writes=tuple(write(n, at, "unknown" if out(at) else "acknowledged") for n, at in enumerate(moments)),
        writing=writing,
    )


def held_by(told: Ledger, hosts: tuple[str, ...] = ("db1", "db2")) -> Rows:
    """Every database holds what was acknowledged."""
    ids = {w.id: 1 for w in told.writes if w.ok}
    return Rows(
        ids={host: dict(ids) for host in hosts},
        positions=dict.fromkeys(hosts, "0-1-9"),
        checksums=dict.fromkeys(hosts, "77"),
    )


def writable(*spans: tuple[float, float]) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(
            first_asked=a, first_answered=a, last_asked=b, last_answered=b, writable=True, looks=9, widest_s=0.005
        )
        for a, b in spans
    )


def found(
    told: Ledger, rows: Rows | None = None, watch: Watch | None = None, expect: Expectation = GO_ON
) -> Judgement:
    return judge(told, watch or Watch(seen={}), rows or held_by(told), MARKS, expect)


def test_a_takeover_within_its_time_meets_the_expectation() -> None:
    said = found(ledger((5, 7)))
    assert said.verdict == "met" and said.reasons == ()
    assert said.outage_read_s == pytest.approx(2.1) and said.outage_write_s == pytest.approx(2.1)
    assert said.failed == 20 and said.failures == {"ConnectionRefusedError": 20} and said.unknown == 20


def test_nothing_happened_is_no_outage() -> None:
    said = found(ledger())
    assert said.verdict == "met" and said.outage_read_s == 0 and said.outage_write_s == 0 and said.failed == 0


def test_a_service_that_stays_away_does_not_go_on() -> None:
    said = found(ledger((5, 16)))
    assert said.verdict == "failed"
    assert any("reads were expected to go on" in reason for reason in said.reasons)
    assert any("writes were expected to go on" in reason for reason in said.reasons)


def test_a_predicted_outage_meets_the_prediction_and_one_that_did_not_come_does_not() -> None:
    assert found(ledger((6, 16)), expect=STOP).verdict == "met"
    said = found(ledger(), expect=STOP)
    assert said.verdict == "failed" and any("reads went on" in reason for reason in said.reasons)


def test_an_outage_longer_than_expected_fails() -> None:
    said = found(ledger((5, 12)))
    assert said.verdict == "failed" and any("no read for 7.1 s" in reason for reason in said.reasons)


def test_more_failed_reads_than_the_scenario_allows() -> None:
    told = ledger((5, 5.3))
    assert found(told, expect=replace(GO_ON, failed=3)).verdict == "met"
    assert found(told, expect=replace(GO_ON, failed=2)).verdict == "failed"


def without(rows: Rows, ident: int) -> Rows:
    return replace(rows, ids={**rows.ids, "db2": {i: n for i, n in rows.ids["db2"].items() if i != ident}})


def test_a_lost_write_is_seen_even_if_one_database_has_it() -> None:
    told = ledger()
    said = found(told, without(held_by(told), 17))
    assert said.lost == 1 and said.verdict == "failed" and "1 acknowledged writes are lost" in said.reasons


def test_a_doubled_write_is_seen() -> None:
    told = ledger()
    rows = held_by(told)
    rows = replace(rows, ids={"db1": {**rows.ids["db1"], 17: 2}, "db2": rows.ids["db2"]})
    said = found(told, rows)
    assert said.duplicated == 1 and said.verdict == "failed"


def test_a_refused_write_that_is_there_is_seen_and_an_unknown_one_may_be() -> None:
    told = ledger()
    told = replace(told, writes=(*told.writes, write(901, 19, "refused"), write(902, 19, "unknown")))
    rows = held_by(told)
    both = {host: {**ids, 901: 1, 902: 1} for host, ids in rows.ids.items()}
    said = found(told, replace(rows, ids=both))
    assert said.refused_but_present == 1 and said.verdict == "failed" and said.lost == 0
    unknown = {host: {**ids, 902: 1} for host, ids in rows.ids.items()}
    assert found(told, replace(rows, ids=unknown)).verdict == "met"


def test_two_writers_are_seen_and_one_after_the_other_is_fine() -> None:
    told = ledger()
    at_once = Watch(seen={"db1": writable((0, 9)), "db2": writable((8.5, 20))})
    said = found(told, watch=at_once)
    assert said.verdict == "failed" and said.two_writers_s == pytest.approx(0.5)
    after = Watch(seen={"db1": writable((0, 8)), "db2": writable((8.5, 20))})
    assert found(told, watch=after).verdict == "met"


def test_a_frozen_primary_is_not_taken_to_have_written_while_nobody_could_look() -> None:
    watch = Watch(seen={"db1": writable((0, 5), (15, 15.2)), "db2": writable((8, 20))})
    assert found(ledger(), watch=watch).two_writers_s == pytest.approx(0.2)


def test_databases_that_do_not_agree_are_seen() -> None:
    told = ledger()
    for field in ("positions", "checksums"):
        values: Mapping[str, str] = {"db1": "1", "db2": "2"}
        assert found(told, replace(held_by(told), **{field: values})).verdict == "failed"  # type: ignore[arg-type]


def test_a_write_that_could_not_be_read_at_once_is_seen() -> None:
    told = ledger()
    told = replace(told, writes=(*told.writes[:-1], replace(told.writes[-1], read_again=False)))
    said = found(told, held_by(told))
    assert said.unread == 1 and said.verdict == "failed"


def test_without_a_load_nothing_is_proved() -> None:
    told = Ledger(reads=tuple(read(4) for _ in range(LEAST - 1)), writes=(), writing=False)
    said = found(told)
    assert said.verdict == "not_tested" and "no load" in said.reasons[0]
    silent = replace(ledger(), writes=())
    assert found(silent).verdict == "not_tested"


def test_a_site_without_a_database_has_no_outage_of_writes() -> None:
    said = found(replace(ledger((5, 6)), writes=(), writing=False), Rows(ids={}, positions={}, checksums={}))
    assert said.outage_write_s is None and said.verdict == "met"


def test_an_outage_of_the_site_is_one_of_writes_too() -> None:
    told = ledger((6, 8))
    told = replace(told, writes=ledger().writes)
    said = found(told, held_by(told))
    assert said.outage_write_s == said.outage_read_s == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("outage", "expected"),
    [((30, 31), ("go_on", "go_on")), ((5, 20), ("stop", "stop")), ((11, 20), (None, "go_on"))],
)
def test_the_course_of_things_is_told_while_they_happen(
    outage: tuple[float, float], expected: tuple[Course | None, Course | None]
) -> None:
    told = ledger(outage)
    seen = replace(
        told,
        reads=tuple(r for r in told.reads if r.ended <= 12),
        writes=tuple(w for w in told.writes if w.ended <= 12),
    )
    assert course(seen, 12, since=5) == expected


def test_half_of_the_reads_hang_and_have_not_been_told_yet() -> None:
    told = ledger()
    hanging = replace(
        told, reads=tuple(r for n, r in enumerate(told.reads) if r.ended <= 12 and (n % 2 or r.due < 5))
    )
    assert course(hanging, 12, since=5)[0] is None


@pytest.mark.parametrize("every", [2, 4, 6, 7, 9, 11, 19, 20])
def test_a_fault_lasts_until_the_verdict_would_be_good(every: int) -> None:
    """One read in so many hangs from the fault on. Whoever ends the fault at that must not be contradicted afterwards."""
    whole = ledger()
    hanging = replace(
        whole,
        reads=tuple(
            replace(r, ended=MARKS.restoring + 1) if n % every == 0 and r.due >= 5 else r
            for n, r in enumerate(whole.reads)
        ),
    )
    so_far = replace(hanging, reads=tuple(r for r in hanging.reads if r.ended <= MARKS.restoring))
    goes_on = course(so_far, MARKS.restoring, since=MARKS.broken)[0] == "go_on"
    assert goes_on == (found(hanging).verdict == "met")
    assert goes_on == (every > 11)


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert quantile(values, 0.5) == 50 and quantile(values, 0.99) == 99 and quantile([7.0], 0.99) == 7
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
