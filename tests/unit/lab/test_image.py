"""Images: what makes two the same, and that an interrupted build is never taken for one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bastide.lab import image
from bastide.lab.errors import ImageFailed
from bastide.lab.recipe import build_command, image_key, trim_script


def test_the_key_depends_on_the_set_alone() -> None:
    assert image_key(["b", "a", "a"]) == image_key(["a", "b"])
    assert image_key(["a", "b"]) != image_key(["a"])


def test_the_command_takes_no_recommended_packages_and_starts_nothing() -> None:
    paths = {name: Path("/x") / name for name in ("target", "sources", "apt_options", "trim")}
    command = build_command(["b", "a"], **paths)
    assert "--include=a,b" in command
    assert any("Install-Recommends" in part and "false" in part for part in command)
    assert any("policy-rc.d" in part and "exit 101" in part for part in command)
    assert command[-3:] == ["bookworm", "/x/target", "/x/sources"]


def test_the_trimmed_image_has_no_identity_and_allows_services_again() -> None:
    script = trim_script()
    assert "ssh_host_" in script and "machine-id" in script
    assert 'rm -f "$root"/etc/ssh/ssh_host_*' in script and "/usr/sbin/policy-rc.d" in script


class FakeBuild:
    """Stands for mmdebstrap: makes a root, and fails when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
        self.fails = fails
        self.runs = 0
        monkeypatch.setattr(image, "run", lambda argv: "")
        monkeypatch.setattr(image, "_lines_of", self)

    def __call__(self, command: Sequence[str], log: Path) -> Iterator[str]:
        self.runs += 1
        root = Path(command[-2])
        root.mkdir()
        (root / "etc").mkdir()
        yield "I: extracting"
        if self.fails:
            raise ImageFailed("no space")


def test_it_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = FakeBuild(monkeypatch, fails=False)
    said: list[str] = []
    first = image.ensure_image(["a"], said.append, images=tmp_path / "images")
    assert image.ensure_image(["a"], said.append, images=tmp_path / "images") == first
    assert build.runs == 1 and "extracting" in said
    assert (first / "etc").is_dir() and image.cached_image(["a"], images=tmp_path / "images") == first


def test_a_failed_build_leaves_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeBuild(monkeypatch, fails=True)
    with pytest.raises(ImageFailed):
        image.ensure_image(["a"], lambda _: None, images=tmp_path / "images")
    assert image.cached_image(["a"], images=tmp_path / "images") is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_dir()] == ["images"]


def test_what_an_interrupted_build_left_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeBuild(monkeypatch, fails=False)
    leftover = tmp_path / f".build-{image_key(['a'])}" / "root"
    leftover.mkdir(parents=True)
    (leftover / "half").touch()
    built = image.ensure_image(["a"], lambda _: None, images=tmp_path / "images")
    assert not (built / "half").exists()


def test_images_are_out_of_other_users_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeBuild(monkeypatch, fails=False)
    image.ensure_image(["a"], lambda _: None, images=tmp_path / "images")
    assert (tmp_path / "images").stat().st_mode & 0o777 == 0o700


def test_a_build_that_exits_non_zero_says_its_last_lines(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo I: one; echo E: no such package; exit 3"]
    with pytest.raises(ImageFailed, match="no such package"):
        list(image._lines_of(command, tmp_path / "log"))
