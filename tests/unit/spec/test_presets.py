"""The presets: they load, say what the design says, and follow the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from bastide.spec.load import load_spec
from bastide.spec.model import Spec
from bastide.spec.presets import PRESETS, preset_text
from bastide.spec.schema import spec_json_schema
from bastide.spec.values import BadValue


def _load(folder: Path, name: str) -> Spec:
    (folder / "app").mkdir()
    (folder / "app" / "requirements.txt").touch()
    (folder / "static").mkdir()
    file = folder / "bastide.yaml"
    file.write_text(preset_text(name, "my-shop"), encoding="utf-8")
    return load_spec(file).spec


def _roles(spec: Spec) -> dict[str, tuple[str, ...]]:
    return {name: tuple(host.roles) for name, host in spec.hosts.items()}


def test_the_whiteboard(tmp_path: Path) -> None:
    spec = _load(tmp_path, "whiteboard")
    assert _roles(spec) == {
        "lb1": ("balancer",),
        "server1": ("web", "app", "database"),
        "server2": ("web", "app", "database"),
        "monitor1": ("monitor",),
    }
    assert spec.tls.inside == "plain"
    assert spec.domains == ("my-shop.test",)


def test_the_resilient_one(tmp_path: Path) -> None:
    spec = _load(tmp_path, "resilient")
    assert _roles(spec) == {
        **{f"lb{n}": ("balancer",) for n in (1, 2)},
        **{f"web{n}": ("web",) for n in (1, 2)},
        **{f"app{n}": ("app",) for n in (1, 2)},
        **{f"db{n}": ("database",) for n in (1, 2)},
        "monitor1": ("monitor", "witness"),
    }
    assert spec.tls.inside == "mtls"
    assert spec.app.secrets["SECRET_KEY"].generate == 48


@pytest.mark.parametrize("name", PRESETS)
def test_presets_follow_the_schema(name: str) -> None:
    document = YAML(typ="safe", pure=True).load(preset_text(name, "shop"))
    Draft202012Validator(spec_json_schema()).validate(document)


@pytest.mark.parametrize("name", PRESETS)
def test_no_placeholder_and_no_long_line_is_left(name: str) -> None:
    text = preset_text(name, "shop")
    assert "PROJECT" not in text
    assert max(map(len, text.splitlines())) <= 116


def test_a_bad_name_and_an_unknown_preset_are_refused() -> None:
    with pytest.raises(BadValue):
        preset_text("resilient", "My Shop")
    with pytest.raises(ValueError, match="whiteboard, resilient"):
        preset_text("huge", "shop")
