"""A project's state folder: private while it is there, and gone without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastide.project.opening import Project, open_project

SPEC = """\
name: shop
domains: [shop.test]
hosts: {one: {roles: [balancer, web]}}
app: {kind: static, path: ./site}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "site").mkdir()
    (tmp_path / "bastide.yaml").write_text(SPEC)
    return open_project(tmp_path / "bastide.yaml")


def test_state_is_private_and_ignored_by_version_control(project: Project) -> None:
    state = project.state("lab")
    assert [folder.stat().st_mode & 0o777 for folder in (state, state.parent)] == [0o700, 0o700]
    assert "*" in (state.parent / ".gitignore").read_text().splitlines()


def test_a_forgotten_lab_leaves_nothing_behind(project: Project) -> None:
    (project.state("lab") / "pki").mkdir()
    project.forget("lab")
    assert not (project.base / ".bastide").exists()


def test_forgetting_the_lab_spares_the_servers(project: Project) -> None:
    key = project.state("servers") / "key"
    key.write_text("precious")
    project.state("lab")
    project.forget("lab")
    assert (key.read_text(), (project.base / ".bastide/lab").exists()) == ("precious", False)
