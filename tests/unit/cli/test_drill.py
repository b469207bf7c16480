"""`bastide drill` as a user meets it before there is anything to break."""

from pathlib import Path

import pytest

from tests.unit.cli.run import bastide


@pytest.fixture
def board(tmp_path: Path) -> Path:
    assert bastide("init", str(tmp_path / "board"), "--preset", "whiteboard").returncode == 0
    return tmp_path / "board"


def test_what_can_be_broken_is_listed_without_a_machine(board: Path) -> None:
    done = bastide("drill", "--list", cwd=board)
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert {"kill:server1", "freeze:lb1/haproxy", "kill:*/nginx", "one-product-fails-everywhere"} <= set(names)
    assert "switchover" not in names, "nothing takes over here"
    some = bastide("drill", "--list", "cut:*", cwd=board)
    assert [line.split()[0] for line in some.stdout.splitlines()] == [
        "cut:lb1",
        "cut:server1",
        "cut:server2",
        "cut:monitor1",
    ]


def test_what_there_is_not_is_bad_usage(board: Path) -> None:
    wrong = bastide("drill", "--list", "kill:server3", cwd=board)
    assert wrong.returncode == 2 and "did you mean server" in wrong.stderr
    assert bastide("drill", "--seed", "3", cwd=board).returncode == 2
    hold = bastide("drill", "--hold", "soon", cwd=board)
    assert hold.returncode == 2 and "--hold" in hold.stderr
    named = bastide("drill", "kill:server3", cwd=board)
    assert named.returncode == 2 and "did you mean server" in named.stderr, "the name comes before the lab"
    without = bastide("drill", "kill:server1", cwd=board)
    assert without.returncode == 2 and "no lab" in without.stderr


def test_a_scenario_of_ones_own_with_a_fault_is_shown_at_its_line(board: Path) -> None:
    (board / "drills").mkdir()
    (board / "drills" / "mine.yaml").write_text("name: mine\nproves: x\nfault: {kind: kil, target: lb1}\n")
    done = bastide("drill", "--list", cwd=board)
    assert done.returncode == 2 and "mine.yaml:3:" in done.stderr and "did you mean kill?" in done.stderr
