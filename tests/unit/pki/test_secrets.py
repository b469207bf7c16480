"""Secrets: made once, read from where the user says, never shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bastide.pki.errors import PkiError, SecretsMissing
from bastide.pki.secrets import ensure_secrets
from bastide.spec.parts import Secret

CANARY = "canary-7Gq2"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where generated secrets are kept."""
    return tmp_path / "state/secrets"


def _file(tmp_path: Path, content: bytes, mode: int = 0o600) -> Secret:
    (tmp_path / "secret.txt").write_bytes(content)
    (tmp_path / "secret.txt").chmod(mode)
    return Secret(file="secret.txt")


def _problem(kept: Path, secret: Secret, base: Path, **environ: str) -> str:
    with pytest.raises(SecretsMissing) as caught:
        ensure_secrets(kept, {"app.KEY": secret}, base, environ)
    (missing,) = caught.value.missing
    assert missing.name == "app.KEY" and missing.hint
    assert CANARY not in str(caught.value) + repr(caught.value) + repr(missing)
    return missing.problem


def test_generated_is_private_stable_and_harmless(kept: Path, tmp_path: Path) -> None:
    wanted = {"app.KEY": Secret(generate=64), "database.password": Secret(generate=32)}
    first = ensure_secrets(kept, wanted, tmp_path, {})
    assert dict(ensure_secrets(kept, wanted, tmp_path, {})) == dict(first)
    assert [len(v) for v in first.values()] == [64, 32]
    assert all(v.isascii() and v.isalnum() for v in first.values())
    assert first["app.KEY"][:32] != first["database.password"]
    assert stat.S_IMODE((kept / "app.KEY").stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_removed_file_makes_a_new_one(kept: Path, tmp_path: Path) -> None:
    wanted = {"app.KEY": Secret(generate=64)}
    first = ensure_secrets(kept, wanted, tmp_path, {})["app.KEY"]
    (kept / "app.KEY").unlink()
    assert ensure_secrets(kept, wanted, tmp_path, {})["app.KEY"] != first


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"])
def test_damaged_or_resized_is_reported_not_replaced(kept: Path, tmp_path: Path, content: bytes) -> None:
    ensure_secrets(kept, {"app.KEY": Secret(generate=64)}, tmp_path, {})
    (kept / "app.KEY").write_bytes(content)
    assert "and the spec asks for 64" in _problem(kept, Secret(generate=64), tmp_path)
    assert (kept / "app.KEY").read_bytes() == content


def test_restored_by_an_editor_with_a_newline(kept: Path, tmp_path: Path) -> None:
    first = dict(ensure_secrets(kept, {"k": Secret(generate=16)}, tmp_path, {}))
    (kept / "k").write_text(first["k"] + "\n")
    assert dict(ensure_secrets(kept, {"k": Secret(generate=16)}, tmp_path, {})) == first


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"canary", "canary"),
        (b"canary\n", "canary"),
        (b"canary\r\n", "canary"),
        (b"canary\r", "canary\r"),
        (b"two\nlines\n\n", "two\nlines\n"),
        (" schlüssel ".encode(), " schlüssel "),
    ],
)
def test_file_loses_one_newline_and_nothing_else(kept: Path, tmp_path: Path, content: bytes, value: str) -> None:
    assert ensure_secrets(kept, {"k": _file(tmp_path, content)}, tmp_path, {})["k"] == value
    assert not (kept / "k").exists(), "no second copy"


def test_file_problems(kept: Path, tmp_path: Path) -> None:
    canary = CANARY.encode()
    assert "cannot read" in _problem(kept, Secret(file="none.txt"), tmp_path)
    assert "cannot read" in _problem(kept, Secret(file="."), tmp_path)
    assert "everybody" in _problem(kept, _file(tmp_path, canary, 0o644), tmp_path)
    assert "is empty" in _problem(kept, _file(tmp_path, b"\n"), tmp_path)
    assert "not UTF-8" in _problem(kept, _file(tmp_path, canary + b"\xff"), tmp_path)
    assert "NUL" in _problem(kept, _file(tmp_path, canary + b"\0"), tmp_path)


def test_a_link_to_an_open_file_is_refused(kept: Path, tmp_path: Path) -> None:
    _file(tmp_path, CANARY.encode(), 0o644)
    (tmp_path / "link").symlink_to("secret.txt")
    assert "everybody" in _problem(kept, Secret(file="link"), tmp_path)


def test_environment(kept: Path, tmp_path: Path) -> None:
    secret = Secret(env="SHOP_KEY")
    assert ensure_secrets(kept, {"k": secret}, tmp_path, {"SHOP_KEY": CANARY})["k"] == CANARY
    assert "is not set" in _problem(kept, secret, tmp_path, OTHER=CANARY)
    assert "is empty" in _problem(kept, secret, tmp_path, SHOP_KEY="")


def test_all_missing_are_told_at_once(kept: Path, tmp_path: Path) -> None:
    wanted = {
        "app.A": Secret(env="A"),
        "app.B": Secret(file="b"),
        "app.C": Secret(),
        "app.D": Secret(generate=16),
        "app.E": Secret(env="E"),
    }
    with pytest.raises(SecretsMissing) as caught:
        ensure_secrets(kept, wanted, tmp_path, {"E": CANARY})
    assert [m.name for m in caught.value.missing] == ["app.A", "app.B", "app.C"]
    assert isinstance(caught.value, PkiError)
    assert all(m.name in str(caught.value) and m.hint in str(caught.value) for m in caught.value.missing)


def test_values_are_never_in_a_repr(kept: Path, tmp_path: Path) -> None:
    values = ensure_secrets(kept, {"k": Secret(env="K")}, tmp_path, {"K": CANARY})
    assert CANARY in repr(dict(values)), "the canary can be found"
    assert CANARY not in repr(values) + str(values) + f"{values}"
