"""Lines of request logs by word: whole lines only, and those alone that hold a word."""

from __future__ import annotations

from pathlib import Path

from bastide.prober.logged import find_lines


def test_only_lines_with_a_word_leave_the_host(tmp_path: Path) -> None:
    log = tmp_path / "access.tsv"
    log.write_text("1\tbv-a\n2\tsecret\n3\tbv-b\n")
    files = {"log": str(log), "gone": str(tmp_path / "nothing")}
    assert find_lines({"files": files, "words": ["bv-a", "bv-b"]}) == {"log": ["1\tbv-a", "3\tbv-b"], "gone": []}
    assert find_lines({"files": files, "words": ["bv-c"]})["log"] == []
