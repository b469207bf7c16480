"""What is broken is known to whoever comes next; two drills never run at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastide.drill.journal import Entry, drill_folder, forget_entry, one_at_a_time, read_entry, write_entry
from bastide.drill.refusals import DrillRefused
from bastide.drill.scenario import FaultSpec
from bastide.drill.watch import Watch, parse_looks


def test_what_was_written_is_read_and_forgotten(tmp_path: Path) -> None:
    assert read_entry(tmp_path) is None
    fault = FaultSpec(kind="part", targets=("db1",), peers=("db2", "web1"), share=0.0)
    entry = Entry(scenario="x", fault=fault, recorders=(("app1", "writes"), ("db1", "looks")))
    write_entry(tmp_path, entry)
    assert read_entry(tmp_path) == entry
    write_entry(tmp_path, Entry(scenario="y", fault=None, recorders=()))
    again = read_entry(tmp_path)
    assert again is not None and again.scenario == "y" and again.fault is None
    forget_entry(tmp_path)
    forget_entry(tmp_path)
    assert read_entry(tmp_path) is None
    assert drill_folder(tmp_path).stat().st_mode & 0o077 == 0


def test_one_drill_at_a_time_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    with one_at_a_time(tmp_path), pytest.raises(DrillRefused, match="another drill"), one_at_a_time(tmp_path):
        pass
    with one_at_a_time(tmp_path):
        pass


def test_looks_that_were_written_in_pieces_are_one_stretch_of_time_and_gaps_are_not() -> None:
    lines = [
        {"began": 1.0},
        [1.0, 1.001, 1.5, 1.501, True, 90, 0.006],
        [1.506, 1.507, 2.0, 2.001, True, 90, 0.006],
        [2.006, 2.007, 2.5, 2.6, None, 9, 0.09],
        [9.0, 9.001, 9.2, 9.201, True, 40, 0.006],
        {"over": 9.3},
    ]
    watch = Watch(seen={"db1": parse_looks(lines), "db2": parse_looks([])})
    assert watch.writable("db1") == ((1.001, 2.0), (9.001, 9.2))
    assert watch.together() == () and watch.looks == 229 and watch.typical_s == pytest.approx(0.006)
