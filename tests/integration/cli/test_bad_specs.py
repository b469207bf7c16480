"""A bad spec on the command line: exit code 2, every fault in one go, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.commands import Commands

TWO_FAULTS = """\
name: Shop!
domains: [shop.test]
hosts:
  lb1: {roles: [balancer]}
  web1: {roles: [wbe]}
app:
  kind: static
  path: .
"""


@pytest.mark.parametrize("verb", ["config", "up", "plan", "apply", "status", "destroy"])
def test_every_fault_is_told_with_its_place(tmp_path: Path, verb: str) -> None:
    (tmp_path / "bastide.yaml").write_text(TWO_FAULTS)
    refused = Commands(spec=tmp_path / "bastide.yaml").run(verb)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "Traceback" not in refused.stderr
    assert "bastide.yaml:1:7" in refused.stderr and "bastide.yaml:5:18" in refused.stderr
    assert refused.stderr.count("error[BST") == 2
    assert "did you mean 'web'" in refused.stderr


def test_what_is_no_yaml_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text("name: [shop\n")
    for name, said in (("bastide.yaml", "bastide.yaml:"), ("missing.yaml", "missing.yaml")):
        refused = Commands(spec=tmp_path / name).run("config")
        assert refused.returncode == 2 and said in refused.stderr and "Traceback" not in refused.stderr


def test_the_f_of_logs_is_the_spec_before_a_yaml_file_and_follow_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text(TWO_FAULTS)
    commands = Commands(spec=tmp_path / "bastide.yaml")
    for words in (("logs",), ("logs", "web1"), ("logs", "web1", "-f"), ("logs", "--follow", "web1")):
        refused = commands.run(*words)
        assert refused.returncode == 2 and refused.stderr.count("error[BST") == 2, refused.stderr
        assert "Warning" not in refused.stderr
