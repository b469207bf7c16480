"""The JSON schema: sound, in step with the loader, and refusing what the loader refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from bastide.spec.load import load_spec
from bastide.spec.reference import render_reference
from bastide.spec.schema import render_schema, spec_json_schema

DOCS = Path(__file__).parents[3] / "docs"
SMALL: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.test"],
    "hosts": {"one": {"roles": ["balancer", "web"]}},
    "app": {"kind": "static"},
}


def _is_valid(document: object) -> bool:
    return bool(Draft202012Validator(spec_json_schema()).is_valid(document))


def test_the_schema_itself_is_sound() -> None:
    schema = spec_json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] and schema["title"]
    assert _is_valid(SMALL)


@pytest.mark.parametrize(
    "broken",
    [
        {"nmae": "x"},
        {"name": "My Shop"},
        {"domains": []},
        {"hosts": {"Big": {"roles": ["web"]}}},
        {"hosts": {"one": {"roles": ["wbe"]}}},
        {"app": {}},
        {"app": {"kind": "static", "timeout": 30}},
        {"app": {"kind": "static", "timeout": "30"}},
        {"app": {"kind": "static", "environment": {"A-B": "x"}}},
        {"web": {"max_body_size": "10MB"}},
        {"tls": {"edge": {"certificate": "a.pem"}}},
        {"balancer": {"threads": 0}},
        {"ssh": {"port": 70000}},
        {"firewall": {"admin": ["office"]}},
    ],
)
def test_a_broken_spec_does_not_pass(broken: dict[str, Any]) -> None:
    assert not _is_valid(SMALL | broken)


def test_every_default_in_the_schema_follows_the_schema() -> None:
    schema = spec_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, field in section["properties"].items():
            if "default" in field:
                whole = {**field, "$defs": schema["$defs"]}
                assert Draft202012Validator(whole).is_valid(field["default"]), name


def test_every_field_is_described() -> None:
    schema = spec_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, field in section["properties"].items():
            told = schema["$defs"][field["$ref"].rsplit("/", 1)[1]] if "$ref" in field else field
            assert "description" in field or "description" in told, name


def test_the_committed_pages_are_up_to_date() -> None:
    assert (DOCS / "bastide.schema.json").read_text(encoding="utf-8") == render_schema(), "run `make docs`"
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == render_reference(), "run `make docs`"


def test_the_reference_is_a_spec_that_loads_and_names_every_field(tmp_path: Path) -> None:
    text = "\n".join(re.findall(r"```yaml\n(.*?)```", render_reference(), re.DOTALL))
    file = tmp_path / "bastide.yaml"
    file.write_text(text, encoding="utf-8")
    load_spec(file, check_files=False)
    Draft202012Validator(spec_json_schema()).validate(YAML(typ="safe", pure=True).load(text))
    for section in spec_json_schema()["$defs"].values():
        for name in section["properties"]:
            assert re.search(rf"^[ #-]*{name}:", text, re.MULTILINE), name
