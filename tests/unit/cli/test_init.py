"""`bastide init`: a project that loads, and nothing of the user's replaced."""

from pathlib import Path

import pytest

from bastide.spec.load import load_spec
from tests.unit.cli.run import bastide


def test_it_refuses_to_replace_a_spec(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text("mine\n")
    done = bastide("init", str(tmp_path), "--name", "demo")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "bastide.yaml").read_text() == "mine\n"


def test_it_refuses_a_folder_name_that_cannot_name_a_project(tmp_path: Path) -> None:
    done = bastide("init", str(tmp_path / "1234"))
    assert done.returncode == 2
    assert "--name" in done.stderr
    assert not (tmp_path / "1234").exists()


@pytest.mark.parametrize("preset", ["whiteboard", "resilient"])
def test_what_it_writes_loads_with_every_path_there(tmp_path: Path, preset: str) -> None:
    done = bastide("init", str(tmp_path / "my-shop"), "--preset", preset)
    assert done.returncode == 0, done.stderr
    assert load_spec(tmp_path / "my-shop" / "bastide.yaml").spec.name == "my-shop"
    assert (tmp_path / "my-shop" / ".bastide" / "bastide.schema.json").exists()


def test_code_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "mine.py").write_text("x = 1\n")
    assert bastide("init", str(tmp_path), "--name", "demo").returncode == 0
    assert [p.name for p in (tmp_path / "app").iterdir()] == ["mine.py"]
    assert (tmp_path / "static" / "style.css").exists()
