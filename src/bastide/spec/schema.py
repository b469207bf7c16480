"""The JSON schema of a spec, for editors and other tools.

In: the model. Out: one JSON document (draft 2020-12).
Holds: it is generated, so it cannot disagree with the model; it is the form only, since what concerns several
fields at once has no place in a schema.
"""

from __future__ import annotations

import json
from typing import Any

from bastide.spec.model import Spec
from bastide.spec.values import (
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_share,
    format_size,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:bastide:schema:spec:1"


def spec_json_schema() -> dict[str, Any]:
    """The schema, with descriptions from the model's docstrings."""
    generated = Spec.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = generated.pop("$defs")
    for section in (generated, *definitions.values()):
        _tidy(section)
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        **generated,
        "title": "Bastide spec",
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def render_schema() -> str:
    """The schema as the text of a file."""
    return json.dumps(spec_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(section: dict[str, Any]) -> None:
    """No titles that only repeat the key; defaults with their unit; closed key sets for mappings."""
    for field in section.get("properties", {}).values():
        field.pop("title", None)
        if field.get("pattern") == DURATION_PATTERN and isinstance(field.get("default"), float):
            field["default"] = format_duration(field["default"])
        if field.get("pattern") == SIZE_PATTERN and isinstance(field.get("default"), int):
            field["default"] = format_size(field["default"])
        if field.get("pattern") == SHARE_PATTERN and isinstance(field.get("default"), float | int):
            field["default"] = format_share(field["default"])
        if "patternProperties" in field:
            field["additionalProperties"] = False
