"""The migration's patience: it waits for a database, and gives up with a reason."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bastide.products.app.render import render
from tests.unit.products.app.test_app import context_of


def run(folder: Path, *command: str, patience_s: int) -> subprocess.CompletedProcess[str]:
    script = next(f.content.decode() for f in render(context_of("wsgi")).files if f.path.endswith("/migrate.sh"))
    assert "+ 90" in script
    (folder / "migrate.sh").write_text(script.replace("+ 90", f"+ {patience_s}"))
    argv = ["sh", str(folder / "migrate.sh"), *command]
    return subprocess.run(argv, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def test_it_is_tried_again_until_the_database_is_there(tmp_path: Path) -> None:
    done = run(
        tmp_path, "sh", "-c", "test -e tried || { touch tried; echo no database >&2; exit 7; }", patience_s=60
    )
    assert done.returncode == 0
    assert "no database\nthe migration ended with status 7; it is tried again" in done.stderr


def test_it_gives_up_with_its_own_status(tmp_path: Path) -> None:
    done = run(tmp_path, "sh", "-c", "exit 7", patience_s=1)
    assert done.returncode == 7
    assert "did not succeed" in done.stderr


def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    done = run(tmp_path, "printf", "%s|", "a b", "$HOME", "*", patience_s=1)
    assert done.stdout == "a b|$HOME|*|"
