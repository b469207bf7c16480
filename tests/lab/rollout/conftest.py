"""Two balancers, two web servers, two application hosts: raised once for all tests of this folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.commands import Commands, scratch_project

PROJECT = Path(__file__).parent / "project"
DOMAIN = "rollout.test"


@pytest.fixture(scope="package")
def pairs() -> Iterator[Commands]:
    """The project, up."""
    with scratch_project("rollout", source=PROJECT) as commands:
        commands.do("up", timeout_s=240)
        yield commands


@contextlib.contextmanager
def spec_with(project: Commands, **replaced: str) -> Iterator[None]:
    """The spec with texts replaced (`hello` by another word); afterwards as before, which is applied again."""
    before = project.spec.read_text()
    text = before
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    project.spec.write_text(text)
    try:
        yield
    finally:
        project.spec.write_text(before)
