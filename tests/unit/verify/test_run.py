"""Choosing checks; a family that breaks is not tested, which is never passed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bastide.verify import run
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged
from bastide.verify.run import (
    FAMILIES,
    WAVES,
    UnknownCheck,
    families_of,
    run_family,
    run_side_by_side,
    wanted,
)
from bastide.verify.sweeping import Matrix


def test_a_check_is_chosen_by_its_name_or_by_a_name_that_it_lies_below() -> None:
    assert wanted("walls.in.db1.ipv4", ["walls.in.db1"]) and wanted("walls.in.db1", ["walls"]) and wanted("x", [])
    assert not wanted("walls.in.db10", ["walls.in.db1"])
    assert families_of(["tls.edge", "walls"]) == ("walls", "tls") and families_of([]) == tuple(FAMILIES)


def test_an_unknown_check_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(UnknownCheck) as refused:
        families_of(["wals"])
    assert "walls" in refused.value.hint


class _Scene:
    chosen: tuple[str, ...] = ()


def test_a_host_that_goes_away_leaves_the_rest_of_its_family_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(scene: Any) -> Iterator[Check]:
        yield judged("walls.one", "one", True)
        raise AskFailed("db1", "gone")

    monkeypatch.setattr(run, "FAMILIES", {"walls": breaks})
    results = {check.id: check.result for check in run_family(_Scene(), "walls")}  # type: ignore[arg-type]
    assert results == {"walls.one": "proven", "walls": "not_tested"}


def test_a_family_without_checks_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "FAMILIES", {"walls": lambda scene: iter(())})
    assert [check.result for check in run_family(_Scene(), "walls")] == ["not_tested"]  # type: ignore[arg-type]


def test_every_family_goes_in_one_wave() -> None:
    assert sorted(family for wave in WAVES for family in wave) == sorted(FAMILIES)


def test_families_of_a_wave_go_side_by_side_and_their_checks_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each waits until the other has begun: one after the other, neither would.
    meet = threading.Barrier(2)

    def meeting(name: str) -> Callable[[Any], Iterator[Check]]:
        def family(_: Any) -> Iterator[Check]:
            meet.wait(timeout=30)
            yield judged(f"{name}.one", "one", True)

        return family

    monkeypatch.setattr(run, "FAMILIES", {name: meeting(name) for name in ("wires", "tls")})
    seen = [(families, [check.id for check in checks])
            for families, checks in run_side_by_side(_Scene(), ("wires", "tls"))]  # type: ignore[arg-type]  # fmt: skip
    assert seen == [(("wires", "tls"), ["wires.one", "tls.one"])]


def test_what_breaks_beside_another_family_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Any) -> Iterator[Check]:
        raise RuntimeError("a fault of ours")
        yield

    def holds(_: Any) -> Iterator[Check]:
        yield judged("wires.one", "one", True)

    monkeypatch.setattr(run, "FAMILIES", {"wires": holds, "tls": breaks})
    with pytest.raises(RuntimeError, match="a fault of ours"):
        [list(checks) for _, checks in run_side_by_side(_Scene(), ("wires", "tls"))]  # type: ignore[arg-type]


def test_silence_counts_only_where_every_probe_arrived() -> None:
    def matrix(sent: int, arrived: int) -> Matrix:
        return Matrix(seen=(), sent={"db1": sent}, arrived={"db1": arrived}, failures={})

    assert matrix(10, 10).whole("db1")
    assert not matrix(10, 9).whole("db1") and not matrix(10, -1).whole("db1") and not matrix(0, 0).whole("db1")
