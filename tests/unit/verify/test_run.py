"""Choosing checks; a family that breaks is not tested, which is never passed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bastide.verify import run
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged
from bastide.verify.run import FAMILIES, UnknownCheck, families_of, run_family, wanted
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


def test_silence_counts_only_where_every_probe_arrived() -> None:
    def matrix(sent: int, arrived: int) -> Matrix:
        return Matrix(seen=(), sent={"db1": sent}, arrived={"db1": arrived}, failures={})

    assert matrix(10, 10).whole("db1")
    assert not matrix(10, 9).whole("db1") and not matrix(10, -1).whole("db1") and not matrix(0, 0).whole("db1")
