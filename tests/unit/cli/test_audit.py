"""`bastide audit` as a user meets it."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.run import bastide


@pytest.fixture
def board(tmp_path: Path) -> Path:
    assert bastide("init", str(tmp_path / "shop"), "--preset", "whiteboard").returncode == 0
    return tmp_path / "shop"


def test_the_whiteboard_fails_with_its_three_flaws_first(board: Path) -> None:
    done = bastide("audit", "--json", cwd=board)
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert [finding["rule"] for finding in document["findings"]][:3] == ["TLS001", "AVA001", "UNI001"]
    assert document["findings"][0]["file"] == "bastide.yaml" and document["findings"][0]["line"] > 1
    text = bastide("audit", cwd=board)
    assert text.returncode == 3
    assert text.stdout.index("TLS001") < text.stdout.index("AVA001") < text.stdout.index("UNI001")
    assert "grade" in text.stdout.splitlines()[-2]


def test_what_fails_is_the_users_choice(board: Path) -> None:
    assert bastide("audit", "--fail-on", "critical", cwd=board).returncode == 0
    assert bastide("audit", "--fail-on", "never", cwd=board).returncode == 0
    assert bastide("audit", "--fail-on", "high", cwd=board).returncode == 3


def test_without_a_terminal_it_writes_only_when_it_is_told_to(board: Path) -> None:
    before = (board / "bastide.yaml").read_text()
    refused = bastide("audit", "--fix", cwd=board)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert (board / "bastide.yaml").read_text() == before
    done = bastide("audit", "--fix", "--yes", "--json", cwd=board)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"] == [] and json.loads(done.stdout)["grade"] == "A"
    assert "+  inside: mtls" in done.stderr
    assert bastide("audit", cwd=board).returncode == 0


def test_sarif_is_one_document(board: Path) -> None:
    done = bastide("audit", "--sarif", cwd=board)
    assert done.returncode == 3
    assert json.loads(done.stdout)["version"] == "2.1.0"
    assert bastide("audit", "--sarif", "--json", cwd=board).returncode == 2
