"""The how-to pages say what works: every command of theirs is run, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "howto").glob("*.md"))
pytestmark = pytest.mark.lab


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder with `bastide` on its path; whatever lab a page leaves is destroyed."""
    command = tmp_path / "bin" / "bastide"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bastide "$@"\n')
    command.chmod(0o755)
    (tmp_path / "work").mkdir()
    yield tmp_path / "work"
    for spec in (tmp_path / "work").rglob("bastide.yaml"):
        run(f"bastide destroy -f {spec} --yes", tmp_path / "work")


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).parents[2] / "src"
    environment = os.environ | {"PATH": f"{folder.parent}/bin:{os.environ['PATH']}", "PYTHONPATH": str(source)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_command_of_the_page_works(page: Path, folder: Path) -> None:
    blocks = re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.M | re.S)
    assert blocks, f"{page.name} has no commands"
    for block in blocks:
        done = run(block, folder)
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
