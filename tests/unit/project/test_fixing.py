"""`audit --fix`: the whiteboard becomes the resilient one, in the user's own words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from bastide.project.auditing import Audited, as_lab, audit_project
from bastide.project.fixing import Fixed, fix_spec
from bastide.project.opening import Project
from bastide.spec.load import load_spec
from bastide.spec.presets import preset_text
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology

TODAY = "2026-11-20"
Target = Literal["auto", "lab", "servers"]


def project_of(folder: Path, text: str, overlay: str | None = None) -> Project:
    folder.mkdir(exist_ok=True)
    file = folder / "bastide.yaml"
    file.write_text(text, encoding="utf-8")
    if overlay is not None:
        (folder / "bastide.prod.yaml").write_text(overlay, encoding="utf-8")
    environment = None if overlay is None else "prod"
    loaded = load_spec(file, environment=environment, check_files=False)
    return Project(file=file, environment=environment, loaded=loaded)


def fixed(folder: Path, text: str, target: Target = "auto", overlay: str | None = None) -> tuple[Fixed, Audited]:
    result = fix_spec(project_of(folder, text, overlay), target, today=TODAY)
    result.write()
    after = project_of(folder, *result.after.values())
    return result, audit_project(after, target, today=TODAY)


def topology_of(folder: Path) -> Topology:
    return resolve_topology(as_lab(load_spec(folder / "bastide.yaml", check_files=False).spec))


def test_the_whiteboard_ends_clean_with_every_comment_kept(tmp_path: Path) -> None:
    text = preset_text("whiteboard", "shop")
    result, audited = fixed(tmp_path / "a", text)
    assert {"TLS001", "AVA001", "UNI001", "AVA002"} <= {finding.rule.id for finding in result.removed}
    assert audited.report.findings == () and audited.report.grade.letter == "A"
    assert audited.report.single_points == ()
    comments = [line for line in text.splitlines() if line.strip().startswith("#")]
    assert [line for line in result.after[tmp_path / "a" / "bastide.yaml"].splitlines() if "#" in line] == comments
    assert "+  inside: mtls" in result.diff() and "-  inside: plain" in result.diff()


def test_the_fixed_whiteboard_is_the_resilient_one_in_substance(tmp_path: Path) -> None:
    fixed(tmp_path / "a", preset_text("whiteboard", "shop"))
    fixed(tmp_path / "b", preset_text("resilient", "shop"))
    board, resilient = topology_of(tmp_path / "a"), topology_of(tmp_path / "b")

    def roles(topology: Topology) -> Counter[tuple[str, ...]]:
        return Counter(host.roles for host in topology.hosts.values())

    def services(topology: Topology) -> Counter[str]:
        return Counter(service.product for service in topology.services)

    assert roles(board) == roles(resilient)
    assert services(board) == services(resilient)
    assert board.flows == resilient.flows
    assert board.virtual_ip == resilient.virtual_ip is not None


def test_data_stay_on_the_hosts_that_hold_them(tmp_path: Path) -> None:
    fixed(tmp_path / "a", preset_text("whiteboard", "shop"))
    assert [host.name for host in topology_of(tmp_path / "a").tier("database")] == ["server1", "server2"]


def test_what_is_clean_is_not_touched(tmp_path: Path) -> None:
    fixed(tmp_path / "a", preset_text("resilient", "shop"))
    text = (tmp_path / "a" / "bastide.yaml").read_text(encoding="utf-8")
    result, _ = fixed(tmp_path / "a", text)
    assert not result.changed and result.diff() == "" and result.removed == ()


ADDRESSED = """\
name: shop
domains: [shop.test]
hosts:
  lb1: {roles: [balancer], address: 10.0.0.1, public: 192.0.2.1}
  web1: {roles: [web, app], address: 10.0.0.2}  # rack 7
tls:
  inside: plain
app: {kind: wsgi, entry: "shop:app"}
system: {harden_ssh: false}
"""


def test_servers_are_not_invented(tmp_path: Path) -> None:
    result, audited = fixed(tmp_path / "a", ADDRESSED)
    assert audited.target == "servers"
    assert {"TLS001", "SSH001"} <= {finding.rule.id for finding in result.removed}
    reasons = {finding.rule.id: reason for finding, reason in result.left}
    assert "further servers" in reasons["AVA002"]
    assert "a person has to decide" in reasons["NET001"]
    assert list(audited.subject.spec.hosts) == ["lb1", "web1"]


def test_what_the_overlay_says_is_mended_in_the_overlay(tmp_path: Path) -> None:
    overlay = "tls:\n  inside: plain   # for now\n"
    result, audited = fixed(tmp_path / "a", ADDRESSED.replace("inside: plain", "inside: mtls"), overlay=overlay)
    assert tmp_path / "a" / "bastide.prod.yaml" in result.changed
    assert result.after[tmp_path / "a" / "bastide.prod.yaml"] == "tls:\n  inside: mtls   # for now\n"
    assert "TLS001" not in {finding.rule.id for finding in audited.report.findings}


def test_a_file_that_stays_as_it_is_is_not_said_to_be_written(tmp_path: Path) -> None:
    harmless = preset_text("resilient", "shop")
    result, _ = fixed(tmp_path / "a", harmless, overlay="tls: {inside: plain}\n")
    assert [file.name for file in result.changed] == ["bastide.prod.yaml"]


def test_a_waived_finding_is_left_alone(tmp_path: Path) -> None:
    waiver = 'audit: {waive: [{rule: SSH001, reason: "old keys", until: 2027-01-01}]}\n'
    result, audited = fixed(tmp_path / "a", ADDRESSED + waiver)
    assert audited.subject.spec.system.harden_ssh is False
    assert "SSH001" not in {finding.rule.id for finding in result.removed}


def test_a_place_that_only_its_author_should_change_is_left_and_said(tmp_path: Path) -> None:
    text = (
        ADDRESSED.replace("inside: plain", "inside: *how")
        .replace("name: shop", "name: shop")
        .replace("domains:", "web: {snippets: {http: &how plain}}\ndomains:")
    )
    result, _ = fixed(tmp_path / "a", text)
    reasons = {finding.rule.id: reason for finding, reason in result.left}
    assert "alias" in reasons["TLS001"]


@pytest.mark.parametrize("target", ["lab", "servers"])
def test_every_place_of_a_finding_is_a_line_of_the_spec(tmp_path: Path, target: Target) -> None:
    project = project_of(tmp_path / "a", preset_text("whiteboard", "shop"))
    audited = audit_project(project, target, today=TODAY)
    lines = project.file.read_text(encoding="utf-8").splitlines()
    for finding in (*audited.report.findings, *audited.report.notes, *audited.on_servers):
        origin = audited.place(finding.at)
        assert origin.file == project.file and 1 <= origin.line <= len(lines)
    first = audited.report.findings[0]
    assert "inside: plain" in lines[audited.place(first.at).line - 1]
