"""The kernel limit that labs raise: remembered once, put back by the last lab."""

from pathlib import Path

from bastide.lab.limits import raise_limits, restore_limits


def test_the_limit_comes_back_when_the_last_lab_has_gone(tmp_path: Path) -> None:
    limit, labs = tmp_path / "limit", tmp_path / "labs"
    limit.write_text("128\n")
    raise_limits(labs=labs, limit=limit)
    raise_limits(labs=labs, limit=limit)
    assert int(limit.read_text()) >= 1024
    (labs / "other").mkdir()
    (labs / "other" / "lab.json").write_text("{}")
    restore_limits(labs=labs, limit=limit)
    assert int(limit.read_text()) >= 1024, "another lab still needs it"
    (labs / "other" / "lab.json").unlink()
    restore_limits(labs=labs, limit=limit)
    assert limit.read_text().strip() == "128"


def test_a_limit_that_is_high_already_is_left_alone(tmp_path: Path) -> None:
    limit = tmp_path / "limit"
    limit.write_text("65536\n")
    raise_limits(labs=tmp_path / "labs", limit=limit)
    restore_limits(labs=tmp_path / "labs", limit=limit)
    assert limit.read_text() == "65536\n"
