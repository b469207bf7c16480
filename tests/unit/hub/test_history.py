"""The last hour, word for word, and never more than that."""

from __future__ import annotations

from pathlib import Path

from bastide.hub.history import EVERY_S, KEPT, History
from bastide.hub.past import Past


def test_the_last_state_that_was_not_after_the_moment() -> None:
    history = History()
    assert history.since is None and history.at(10.0) is None
    history.put(10.0, '{"n": 1}')
    history.put(15.0, '{"n": 2}')
    assert history.at(9.9) is None
    assert history.at(10.0) == history.at(14.9) == (10.0, '{"n": 1}')
    assert history.at(99.0) == (15.0, '{"n": 2}')


def test_a_clock_that_goes_back_changes_nothing_of_what_was() -> None:
    history = History()
    history.put(10.0, "a")
    history.put(9.0, "b")
    assert history.at(11.0) == (10.0, "a")


def test_an_hour_is_kept_and_no_more() -> None:
    history = History()
    for second in range(0, 5000, EVERY_S):
        history.put(float(second), str(second))
    assert history.since == 5000 - KEPT * EVERY_S
    assert history.at(1000.0) is None


def remember(folder: Path, history: History, past: Past, seconds: range) -> None:
    for second in seconds:
        moment = history.put(float(second), f"state of {second}")
        assert moment is not None
        past.append(moment, history.moments())


def test_a_restart_forgets_nothing_of_the_hour(tmp_path: Path) -> None:
    past = Past(tmp_path / "past", most=10)
    remember(tmp_path, History(past.load(0.0, 0.0)), past, range(100, 120))

    again = History(Past(tmp_path / "past", most=10).load(110.0, 118.0))
    assert again.since == 110.0
    assert again.at(112.5) == (112.0, "state of 112")
    assert again.at(999.0) == (118.0, "state of 118"), "what a clock that is right now calls the future is left out"


def test_the_file_never_holds_more_than_twice_what_is_remembered(tmp_path: Path) -> None:
    past, history = Past(tmp_path / "past", most=KEPT), History()
    sizes = []
    for begin in range(0, 4 * KEPT, KEPT):
        remember(tmp_path, history, past, range(begin + 1, begin + KEPT + 1))
        sizes.append((tmp_path / "past").stat().st_size)
    assert max(sizes) < 2.5 * sizes[0]
    assert History(Past(tmp_path / "past", most=KEPT).load(3 * KEPT + 1, 9e9)).moments() == history.moments()


def test_what_a_kill_has_torn_is_left_out_and_the_file_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "past"
    past, history = Past(file, most=10), History()
    remember(tmp_path, history, past, range(1, 4))
    whole = file.read_bytes()
    for torn in (whole[:-1], whole[:-30], whole + b"\xff" * 5, whole + b"\xff" * 50):
        file.write_bytes(torn)
        again = Past(file, most=10)
        kept = again.load(0.0, 9e9)
        assert kept == history.moments()[: len(kept)] and len(kept) >= 1
        more = History(kept)
        remember(tmp_path, more, again, range(10, 12))
        assert Past(file, most=10).load(0.0, 9e9) == more.moments()
    assert Past(tmp_path / "none", most=10).load(0.0, 9e9) == ()
