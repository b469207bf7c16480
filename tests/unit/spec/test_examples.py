"""The examples load as they stand, alone and with each of their overlays, and follow the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from bastide.spec.load import load_spec
from bastide.spec.schema import spec_json_schema

EXAMPLES = Path(__file__).parents[3] / "examples"
SPECS = sorted(EXAMPLES.glob("*/bastide.yaml"))
OVERLAYS = sorted(EXAMPLES.glob("*/bastide.*.yaml"))


def test_there_are_examples() -> None:
    assert SPECS


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.parent.name)
def test_an_example_loads_and_follows_the_schema(file: Path) -> None:
    load_spec(file)
    document = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    Draft202012Validator(spec_json_schema()).validate(document)


@pytest.mark.parametrize("file", OVERLAYS, ids=lambda file: f"{file.parent.name}-{file.name.split('.')[1]}")
def test_an_overlay_of_an_example_loads(file: Path) -> None:
    loaded = load_spec(file.with_name("bastide.yaml"), environment=file.name.split(".")[1])
    assert loaded.files == (file.with_name("bastide.yaml"), file)
