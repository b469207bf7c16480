"""Which history holds another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.keeper.gtid import find_errant, parse_gtids


def test_parses_what_the_server_writes() -> None:
    assert parse_gtids("0-1-5,0-2-7,3-1-1") == {(0, 1): 5, (0, 2): 7, (3, 1): 1}
    assert parse_gtids("") == {}


@pytest.mark.parametrize("text", ["x", "0-1", "0-1-2-3", "0-1-a"])
def test_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid"):
        parse_gtids(text)


@pytest.mark.parametrize(
    ("own", "other", "base", "errant"),
    [
        ("", "", "", ()),
        ("0-1-5", "0-1-5", "", ()),
        ("0-1-5", "0-1-9", "", ()),
        ("0-1-9", "0-1-5", "", ("0-1-9",)),
        ("0-1-5,0-2-6", "0-1-5", "", ("0-2-6",)),
        # The same sequence number by another server is another transaction.
        ("0-1-5,0-2-6", "0-1-6", "", ("0-2-6",)),
        # A copy shows only what it wrote since; what its position covers is older history that it has.
        ("0-1-5", "0-2-9", "0-1-8", ()),
        ("0-1-9", "0-2-9", "0-1-8", ("0-1-9",)),
        # Where the binlog does show the origin, a later position says nothing about its surplus.
        ("0-1-12", "0-1-10,0-2-20", "0-1-10", ("0-1-12",)),
        ("1-1-3", "0-1-5", "0-1-5", ("1-1-3",)),
    ],
)
def test_finds_what_the_other_lacks(own: str, other: str, base: str, errant: tuple[str, ...]) -> None:
    assert find_errant(own, other, base) == errant


HISTORIES = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(1, 3)), st.integers(1, 50), max_size=5)


def write(history: dict[tuple[int, int], int]) -> str:
    return ",".join(f"{d}-{s}-{n}" for (d, s), n in history.items())


@given(HISTORIES, HISTORIES)
def test_a_history_that_grew_holds_its_past(
    past: dict[tuple[int, int], int], more: dict[tuple[int, int], int]
) -> None:
    grown = {k: max(past.get(k, 0), more.get(k, 0)) for k in past | more}
    assert find_errant(write(past), write(grown), "") == ()


@given(HISTORIES, st.sampled_from([(0, 1), (1, 2), (2, 3)]))
def test_one_transaction_more_is_always_found(past: dict[tuple[int, int], int], origin: tuple[int, int]) -> None:
    ahead = past | {origin: past.get(origin, 0) + 1}
    assert len(find_errant(write(ahead), write(past), "")) == 1
