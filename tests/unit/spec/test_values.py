"""Units, and how they are written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.spec.values import (
    BadValue,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_network,
    parse_size,
)


@given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_survives_being_written(count: int, unit: str) -> None:
    seconds = parse_duration(f"{count}{unit}")
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-12)


@given(st.integers(0, 10**14))
def test_a_size_survives_being_written(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    "bad", ["", "5", 5, "5 s", "-5s", "s", "5S", "1e3s", "٣s", True, None, [], "5s\n", "9" * 99 + "s"]
)
def test_bad_durations(bad: object) -> None:
    with pytest.raises(BadValue):
        parse_duration(bad)


@pytest.mark.parametrize("bad", ["", "10MB", "1.5M", -1, True, None, "M", "٣", "9" * 99])
def test_bad_sizes(bad: object) -> None:
    with pytest.raises(BadValue):
        parse_size(bad)


@pytest.mark.parametrize("bad", ["", 167772161, "10.0.0", "010.0.0.1", "fe80::1%eth0", "::1/64", None, True])
def test_bad_addresses(bad: object) -> None:
    with pytest.raises(BadValue):
        parse_address(bad)


@pytest.mark.parametrize("bad", ["10.0.0.1/8", "10.0.0.0/33", "office", 10, None])
def test_bad_networks(bad: object) -> None:
    with pytest.raises(BadValue):
        parse_network(bad)
