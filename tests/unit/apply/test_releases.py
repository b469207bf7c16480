"""Releases: the same bytes for the same files, nothing that leads out, pip only when it must."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bastide.apply import archive, dependencies, releases
from bastide.apply.releases import ReleaseFailed, build_releases
from bastide.policy.materials import Release
from bastide.spec.model import Spec
from tests.unit.specs import make_spec


def spec_of(**app: Any) -> Spec:
    return make_spec(app={"kind": "php", "entry": "index.php", **app}, web={"static": {"/static/": "./static"}})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    base = tmp_path / "project"
    (base / "app/lib/tests").mkdir(parents=True)
    (base / "static").mkdir()
    (base / "app/index.php").write_text("<?php")
    (base / "app/lib/a.php").write_text("<?php // a")
    (base / "app/lib/tests/t.php").write_text("not shipped")
    (base / "app/run").write_text("#!/bin/sh\n")
    (base / "app/run").chmod(0o755)
    (base / "app/again").symlink_to("lib/a.php")
    (base / "static/shop.css").write_text("a { top: 1 }")
    return base


def build(spec: Spec, project: Path, said: list[str] | None = None) -> dict[str, Release]:
    store = project.parent / "state/blobs"
    notes: list[str] = said if said is not None else []
    return dict(build_releases(spec, project, store, on_progress=notes.append))


def names(project: Path, release: Release) -> set[str]:
    with tarfile.open(project.parent / "state/blobs" / release.digest) as tar:
        return {member.name for member in tar if not member.isdir()}


def test_a_release_holds_the_code_without_what_is_excluded(project: Path) -> None:
    app = build(spec_of(), project)["app"]
    assert names(project, app) == {"code/index.php", "code/lib/a.php", "code/run", "code/again"}
    stored = project.parent / "state/blobs" / app.digest
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == app.digest
    assert stored.stat().st_size == app.size
    assert list(stored.parent.glob(".release-*")) == []


def test_a_stamp_makes_another_release_of_the_same_code_while_it_is_there(project: Path) -> None:
    before = build(spec_of(), project)
    stamp = project.parent / "state" / releases.STAMP
    stamp.write_text("a drill\n")
    during = build(spec_of(), project)
    assert during["app"].digest != before["app"].digest and during["static-0"] == before["static-0"]
    assert names(project, during["app"]) == names(project, before["app"]) | {".bastide-release"}
    stamp.unlink()
    assert build(spec_of(), project) == before


def test_the_same_files_elsewhere_at_another_time_by_another_user_are_the_same_release(project: Path) -> None:
    first = build(spec_of(), project)
    copy = project.parent / "elsewhere/project"
    shutil.copytree(project, copy, symlinks=True)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    assert build(spec_of(), copy) == first


def test_a_changed_file_of_the_same_size_has_another_time_for_browsers_to_see(project: Path) -> None:
    def time_of(release: Release) -> float:
        with tarfile.open(project.parent / "state/blobs" / release.digest) as tar:
            return tar.getmember("shop.css").mtime

    before = build(spec_of(), project)["static-0"]
    (project / "static/shop.css").write_text("a { top: 2 }")
    after = build(spec_of(), project)["static-0"]
    assert before.digest != after.digest
    assert time_of(before) != time_of(after)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "../.."])
def test_a_symlink_that_leaves_the_folder_is_refused(project: Path, target: str) -> None:
    (project / "app/lib/out").symlink_to(target)
    with pytest.raises(ReleaseFailed, match="leaves its folder") as failure:
        build(spec_of(), project)
    assert "app.exclude" in failure.value.hint
    assert build(spec_of(exclude=["out", "tests"]), project)["app"].size


def test_secrets_are_not_shipped(project: Path) -> None:
    (project / "app/.env").write_text("KEY=canary")
    (project / "app/.env.example").write_text("KEY=")
    said: list[str] = []
    app = build(spec_of(), project, said)["app"]
    assert "code/.env.example" in names(project, app)
    assert "code/.env" not in names(project, app)
    assert any(".env is not shipped" in note for note in said)
    (project / "app/lib/server.pem").write_text("x\n-----BEGIN EC PRIVATE KEY-----\n")
    with pytest.raises(ReleaseFailed, match="holds a private key"):
        build(spec_of(), project)


def test_a_missing_folder_is_one_clear_message(project: Path) -> None:
    with pytest.raises(ReleaseFailed, match="nowhere is not a folder"):
        build(spec_of(path="nowhere"), project)


def test_what_an_interrupted_build_left_is_cleared_away(project: Path) -> None:
    store = project.parent / "state/blobs"
    store.mkdir(parents=True)
    (store / ".release-x").write_text("half")
    build(spec_of(), project)
    assert not (store / ".release-x").exists()


def test_a_static_site_is_the_root_of_its_archive(project: Path) -> None:
    spec = make_spec(app={"kind": "static", "path": "./static"})
    assert names(project, build(spec, project)["app"]) == {"shop.css"}


class Pip:
    """Stands for pip: installs one file, or fails as it is told; counts its calls."""

    def __init__(self, *, fails: str = "") -> None:
        self.calls: list[list[str]] = []
        self.fails = fails

    def __call__(self, argv: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        if not {"pip", "-m"} <= set(argv):
            return subprocess.CompletedProcess(argv, 0, "", "")
        self.calls.append(argv)
        if self.fails:
            return subprocess.CompletedProcess(argv, 1, "", self.fails)
        target = Path(argv[argv.index("--target") + 1])
        (target / "bin").mkdir(parents=True)
        (target / "bin/gunicorn").write_text(f"#!{sys.executable}")
        (target / "flask.py").write_text("")
        return subprocess.CompletedProcess(argv, 0, "", "")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr(dependencies.subprocess, "run", pip)  # type: ignore[attr-defined]
    return pip


def wsgi(requirements: str | None = "requirements.txt") -> Spec:
    return spec_of(kind="wsgi", entry="shop:app", requirements=requirements)


def test_packages_are_resolved_once_for_the_same_requirements(project: Path, pip: Pip) -> None:
    (project / "app/requirements.txt").write_text("flask==3\n")
    app = build(wsgi(), project)["app"]
    assert "site-packages/flask.py" in names(project, app)
    assert not any("/bin/" in name for name in names(project, app)), "their first line names this computer's Python"
    (argv,) = pip.calls
    assert "gunicorn==" in argv[-1]
    assert build(wsgi(), project)["app"] == app
    assert len(pip.calls) == 1
    (project / "app/index.php").write_text("changed code, same packages")
    assert build(wsgi(), project)["app"] != app
    assert len(pip.calls) == 1
    (project / "app/requirements.txt").write_text("flask==4\n")
    build(wsgi(), project)
    assert len(pip.calls) == 2


def test_a_change_in_an_included_file_is_seen(project: Path, pip: Pip) -> None:
    (project / "app/requirements.txt").write_text("-r base.txt\n")
    (project / "app/base.txt").write_text("flask==3\n")
    build(wsgi(), project)
    (project / "app/base.txt").write_text("flask==4\n")
    build(wsgi(), project)
    assert len(pip.calls) == 2


def test_a_server_that_the_requirements_name_is_not_overruled(project: Path, pip: Pip) -> None:
    (project / "app/requirements.txt").write_text("Gunicorn==21.2.0\n")
    build(wsgi(), project)
    assert not any(argument.startswith("gunicorn==") for argument in pip.calls[0])


def test_pips_complaint_is_passed_on_with_a_hint(project: Path, pip: Pip) -> None:
    pip.fails = "noise\nERROR: No matching distribution found for nosuch==1\n"
    (project / "app/requirements.txt").write_text("nosuch==1\n")
    with pytest.raises(ReleaseFailed) as failure:
        build(wsgi(), project)
    assert failure.value.lines == ("ERROR: No matching distribution found for nosuch==1",)
    assert "pip download" in failure.value.hint
    assert list((project.parent / "state/site-packages").iterdir()) == [], "nothing half-made is kept"


@pytest.mark.parametrize("line", ["-e ./lib", "./lib", "lib @ file:///x", "/srv/lib"])
def test_a_package_by_path_is_refused(project: Path, pip: Pip, line: str) -> None:
    (project / "app/requirements.txt").write_text(f"flask\n{line}\n")
    with pytest.raises(ReleaseFailed, match="by a path"):
        build(wsgi(), project)
    assert pip.calls == []


def test_hashed_requirements_must_name_the_server(project: Path, pip: Pip) -> None:
    (project / "app/requirements.txt").write_text("flask==3 --hash=sha256:00\n")
    with pytest.raises(ReleaseFailed, match="pinned by hashes"):
        build(wsgi(), project)


def test_the_shop_is_the_same_release_when_its_packages_are_resolved_anew(tmp_path: Path) -> None:
    """With the real pip, twice, without anything kept in between."""
    spec = make_spec(app={"kind": "wsgi", "entry": "shop:app", "requirements": "requirements.txt"})
    shop = Path(__file__).parents[3] / "examples/shop"
    first, second = (build_releases(spec, shop, tmp_path / str(i) / "blobs")["app"] for i in range(2))
    assert first == second
    with tarfile.open(tmp_path / "0/blobs" / first.digest) as tar:
        members = {member.name: member for member in tar}
    assert "code/shop/__init__.py" in members
    assert "site-packages/flask/app.py" in members
    assert "site-packages/gunicorn/__init__.py" in members
    assert not any(name.startswith("code/tests") for name in members)
    assert {(m.uid, m.gid, m.uname, m.mode & 0o022) for m in members.values()} <= {(0, 0, "", 0), (0, 0, "", 0o022)}
    if sys.version_info[:2] == (3, 11):
        assert "site-packages/flask/__pycache__/app.cpython-311.pyc" in members


def test_what_was_not_touched_is_not_packed_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_SETTLED_NS", -1)
    first = build(spec_of(), project)
    packed: list[str] = []
    pack = releases._pack

    def counted(name: str, entries: list[archive.Entry], store: Path) -> Release:
        packed.append(name)
        return pack(name, entries, store)

    monkeypatch.setattr(releases, "_pack", counted)
    assert build(spec_of(), project) == first and packed == []
    (project / "app/index.php").write_text("<?pHp")
    assert build(spec_of(), project)["app"] != first["app"] and packed == ["app"], (
        "a write of the same size is seen"
    )
    (project.parent / "state/blobs" / first["static-0"].digest).write_text("cut short")
    assert build(spec_of(), project)["static-0"] == first["static-0"] and packed == ["app", "static-0"]


def test_files_that_were_just_written_are_not_trusted(project: Path) -> None:
    entries = archive.collect_tree(project / "static", ())
    assert archive.fingerprint_files(entries) == ""
