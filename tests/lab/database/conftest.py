"""Two databases, a witness and an application host, raised once for all tests of this folder."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.commands import Commands
from tests.lab.database.ledger import await_pair, make_table


@contextlib.contextmanager
def raised(*up: str) -> Iterator[Commands]:
    """The project in a lab of its own, raised with these options of `up`."""
    folder = Path(tempfile.mkdtemp(prefix="bastide-keeper-")) / "project"
    shutil.copytree(
        Path(__file__).parent / "project", folder, ignore=shutil.ignore_patterns(".bastide", "__pycache__")
    )
    commands = Commands(spec=folder / "bastide.yaml")
    try:
        commands.do("up", *up, timeout_s=300)
        await_pair(commands)
        make_table(commands)
        yield commands
    finally:
        commands.run("destroy", "--yes", timeout_s=120)
        shutil.rmtree(folder.parent)


@pytest.fixture(scope="package")
def pair() -> Iterator[Commands]:
    with raised() as commands:
        yield commands
