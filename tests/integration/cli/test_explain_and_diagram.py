"""`explain`, `diagram` and `--format` as a user meets them: what goes where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bastide.apply.result import ApplyResult, HostResult
from bastide.cli.applying import tell_refused_snippets
from bastide.project.desired import Desired
from bastide.project.target import Target
from bastide.spec.load import load_spec
from tests.unit.cli.run import bastide
from tests.unit.spec.test_cases import CASES, compiled

HOSTS = "name: {}\ndomains: [shop.test]\nhosts:\n  lb1: {{roles: [balancer]}}\n  web1: {{roles: [{}]}}\n"
BAD = HOSTS.format("Shop!", "wbe") + "app: {kind: static, path: .}\n"
GOOD = HOSTS.format("shop", "web") + "app: {kind: static, path: ., processes: 3}\n"


@pytest.mark.parametrize(("form", "begins"), [("json", "{"), ("github", "::error file=bastide.yaml,line=1,")])
def test_faults_are_the_result_when_the_spec_cannot_be_used(tmp_path: Path, form: str, begins: str) -> None:
    (tmp_path / "bastide.yaml").write_text(BAD)
    refused = bastide("config", "--format", form, cwd=tmp_path)
    assert refused.returncode == 2 and refused.stderr == ""
    assert refused.stdout.startswith(begins)
    if form == "json":
        assert {fault["code"] for fault in json.loads(refused.stdout)["faults"]} == {"BST013", "BST020"}


def test_warnings_stand_beside_the_result_and_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "bastide.yaml").write_text(GOOD)
    done = bastide("config", "--json", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "shop"
    assert [fault["code"] for fault in json.loads(done.stderr)["faults"]] == ["BST080"]


def test_explain_and_diagram(tmp_path: Path) -> None:
    assert "Two hosts with one address" in bastide("explain", "BST037", cwd=tmp_path).stdout  # no spec is needed
    (tmp_path / "bastide.yaml").write_text(GOOD.replace(", processes: 3", ""))
    story = bastide("explain", "--markdown", cwd=tmp_path)
    assert story.returncode == 0 and story.stdout.startswith("# shop: how it is built, and why\n")
    unknown = bastide("explain", "web2", cwd=tmp_path)
    assert unknown.returncode == 2 and "did you mean web or web1?" in unknown.stderr
    for suffix in ("svg", "png", "mmd", "drawio"):
        assert bastide("diagram", "--out", f"shop.{suffix}", "--dark", cwd=tmp_path).returncode == 0
        assert (tmp_path / f"shop.{suffix}").stat().st_size > 500
    refused = bastide("diagram", "--out", "shop.gif", cwd=tmp_path)
    assert refused.returncode == 2 and ".drawio" in refused.stderr
    drawn = bastide("diagram", cwd=tmp_path)
    assert "BALANCERS" in drawn.stdout and "┃ web1" in drawn.stdout


def test_an_apply_that_a_snippet_stopped_shows_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CASES / "snippet-refused-by-nginx"
    monkeypatch.chdir(folder)
    loaded = load_spec(Path("bastide.yaml"), check_files=False)
    topology, bundles = compiled(loaded.spec)
    lines = tuple((folder / "checker.web1.txt").read_text().splitlines())
    failed = HostResult(host="web1", outcome="failed", phase="check", message="check failed: nginx -t", lines=lines)
    target = Target(kind="lab", spec=loaded.spec, state=folder, base=folder, endpoints={}, loaded=loaded)
    desired = Desired(topology=topology, bundles=bundles, blobs=folder)
    tell_refused_snippets(target, desired, ApplyResult(hosts={"web1": failed}))
    said = capsys.readouterr().err
    assert "error[BST073]: nginx refuses this line: unknown directive" in said
    assert "--> bastide.yaml:15:7" in said and "found on web1" in said
    tell_refused_snippets(target, desired, ApplyResult(hosts={}))
    assert capsys.readouterr().err == ""
