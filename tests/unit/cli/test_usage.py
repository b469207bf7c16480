"""Bad usage and bad specs: exit 2 and words that help, never a traceback."""

from pathlib import Path

import pytest

from tests.unit.cli.run import bastide

GOOD = """\
name: demo
domains: [demo.test]
hosts:
  all1: {roles: [balancer, web]%s}
app: {kind: static, path: .}
"""


def test_a_verb_that_is_not_there_names_the_nearest() -> None:
    done = bastide("statsu")
    assert done.returncode == 2
    assert "Did you mean 'status'?" in done.stderr


def test_without_a_spec_it_says_so(tmp_path: Path) -> None:
    done = bastide("config", cwd=tmp_path)
    assert done.returncode == 2
    assert "bastide.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_faults_are_both_reported_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text("name: Bad Name\ndomains: [demo.test]\nhosst: {}\napp: {kind: static}\n")
    done = bastide("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert "bastide.yaml:1:" in done.stderr
    assert "bastide.yaml:3:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["status", "plan", "apply"])
def test_without_a_lab_it_says_how_to_raise_one(tmp_path: Path, verb: str) -> None:
    (tmp_path / "bastide.yaml").write_text(GOOD % "")
    done = bastide(verb, cwd=tmp_path)
    assert done.returncode == 2
    assert "bastide up" in done.stderr


def test_servers_without_addresses_are_named(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text(GOOD % "")
    done = bastide("apply", "--target", "servers", cwd=tmp_path)
    assert done.returncode == 2
    assert "no address for all1" in done.stderr


def test_an_unknown_host_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text(GOOD % ", address: 192.0.2.1")
    done = bastide("exec", "all2", "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'all1'?" in done.stderr


def test_config_prints_json_and_origins(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text(GOOD % "")
    assert "bastide.yaml:1" in bastide("config", cwd=tmp_path).stdout
    assert '"version": 1' in bastide("config", "--json", cwd=tmp_path).stdout


@pytest.mark.parametrize("content", [None, "hosts: {}", '{"kind": "of something else"}'])
def test_a_plan_file_that_is_none_is_bad_usage(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "bastide.yaml").write_text("name: x\ndomains: [x.test]\nhosts: {all1: {roles: [balancer, web]}}\n")
    if content is not None:
        (tmp_path / "some.plan").write_text(content)
    done = bastide("apply", "some.plan", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "some.plan" in done.stderr and "bastide plan --out" in done.stderr
