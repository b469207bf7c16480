"""What happened lately, and which units are failed."""

from __future__ import annotations

from bastide.hub.happenings import FAILED_S, KEPT, Happenings
from bastide.hub.records import Record


def unit(kind: str, t: float, name: str = "nginx.service") -> Record:
    return Record(
        host="web1", seq=int(t), t=t, kind="event", unit=kind, priority=5, message="", fields={"unit": name}
    )


def test_a_unit_is_failed_until_it_is_started_or_the_hour_is_over() -> None:
    happenings = Happenings("b")
    happenings.note([unit("unit-failed", 100.0), unit("unit-failed", 100.0, "app.service")])
    assert happenings.failed_units(101.0) == {"web1": ["app.service", "nginx.service"]}
    # An older start, which came late, mends nothing.
    happenings.note([unit("unit-started", 90.0), unit("unit-started", 102.0, "app.service")])
    assert happenings.failed_units(103.0) == {"web1": ["nginx.service"]}
    assert happenings.failed_units(100.0 + FAILED_S) == {"web1": []}


def test_marks() -> None:
    happenings = Happenings("b")
    start = happenings.mark
    happenings.note([unit("vip", 1.0)])
    middle = happenings.mark
    happenings.note([unit("vip", 2.0)])
    assert [e["t"] for e in happenings.since(middle)] == [2.0]
    assert [e["t"] for e in happenings.since(start)] == [1.0, 2.0]
    assert happenings.since(happenings.mark) == []
    # A mark of another run, or none at all: everything that is kept.
    for mark in ("other-1", "b-x", "b", "b-99999999999999999999"):
        assert len(happenings.since(mark)) == 2
    happenings.note([unit("vip", float(n)) for n in range(2000)])
    assert len(happenings.since(start)) == KEPT
