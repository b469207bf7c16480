"""Golden pictures of both presets; `make golden` writes them anew, `make docs` the one of the README."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bastide.draw.picture import derive_picture
from bastide.draw.svg import render_svg
from bastide.topology.resolve import resolve_topology
from tests.golden.test_golden import SPECS

HERE = Path(__file__).parent / "pictures"
ROOT = Path(__file__).parents[2]
WRITE = os.environ.get("BASTIDE_WRITE_GOLDEN") == "1"


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("name", ["resilient", "whiteboard"])
def test_the_picture_of_a_preset_is_what_it_was(name: str, live: bool) -> None:
    picture = render_svg(derive_picture(resolve_topology(SPECS[name])), theme="auto", live=live)
    path = HERE / f"{name}{'-live' if live else ''}.svg"
    if WRITE:
        path.write_text(picture, encoding="utf-8")
    assert picture == path.read_text(encoding="utf-8"), "make golden, then read the diff"


def test_the_picture_of_the_readme_is_up_to_date(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, ROOT / "scripts" / "draw-docs", tmp_path], check=True, env=environment)
    assert (tmp_path / "bastide.svg").read_bytes() == (ROOT / "docs" / "bastide.svg").read_bytes(), "make docs"
