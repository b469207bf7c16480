"""Two applies have two numbers, whichever hosts they are of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bastide.host.machine import Finished, Machine
from bastide.host.numbering import highest_number, take_number


def nothing(argv: Sequence[str]) -> Finished:
    raise AssertionError(argv)


def hosts(folder: Path, count: int) -> list[Machine]:
    return [Machine(root=folder / str(index), run=nothing) for index in range(count)]


def test_each_number_is_handed_out_once(tmp_path: Path) -> None:
    [host] = hosts(tmp_path, 1)
    assert highest_number(host) == 0
    assert [take_number(host, 1), take_number(host, 1), take_number(host, 7), take_number(host, 2)] == [1, 2, 7, 8]
    assert highest_number(host) == 8


@given(steps=st.lists(st.booleans(), min_size=1, max_size=24), data=st.data())
def test_two_that_reach_the_same_hosts_differ_however_they_interleave(
    tmp_path_factory: object, steps: list[bool], data: st.DataObject
) -> None:
    """Each asks them in the order of names."""
    folder = tmp_path_factory.mktemp("hosts")  # type: ignore[attr-defined]
    machines = hosts(folder, 4)
    for machine in machines:
        take_number(machine, data.draw(st.integers(0, 9)))
    reach = [[0, 1, 2, 3], [0, 1, 2, 3]]
    numbers = [0, 0]
    for first in [*steps, *[False] * 4, *[True] * 4]:
        who = int(first)
        if reach[who]:
            numbers[who] = take_number(machines[reach[who].pop(0)], numbers[who])
    assert numbers[0] != numbers[1]
