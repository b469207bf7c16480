"""The resolved spec: complete, loads again as itself, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bastide.spec.resolved import resolved_document, resolved_json
from tests.unit.spec.samples import SMALL, load_text

FULL = (
    SMALL
    + """\
  environment: {A: 'yes', B: "a: b # c", C: '1.10', D: '', E: "two\\nlines", F: 'null', G: é, H: '0x10', I: '- x'}
  secrets: {KEY: {env: KEY}}
  timeout: 90s
web: {static: {/static/: ./static}}
balancer: {snippets: {global: "a\\n  b\\n"}}
firewall: {admin: [10.0.0.0/8], egress: []}
"""
)


@pytest.mark.parametrize("origins", [True, False])
@pytest.mark.parametrize("text", [SMALL, FULL])
def test_it_loads_again_as_the_same_spec(tmp_path: Path, text: str, origins: bool) -> None:
    loaded = load_text(tmp_path, text)
    again = load_text(tmp_path, resolved_document(loaded, origins=origins))
    assert again.spec == loaded.spec


def test_lines_say_where_they_come_from(tmp_path: Path) -> None:
    lines = resolved_document(load_text(tmp_path, FULL), origins=True).splitlines()
    found = {line.split("#")[0].strip(): line.rsplit("# ", 1)[1] for line in lines if "timeout" in line}
    assert found["timeout: 90s"] == "bastide.yaml:11" if "timeout: 90s" in found else found
    assert any(line.split() == ["workers:", "null", "#", "default"] for line in lines)
    assert any(line.split() == ["name:", "shop", "#", "bastide.yaml:1"] for line in lines)


def test_json_has_units_and_references(tmp_path: Path) -> None:
    document = resolved_json(load_text(tmp_path, FULL))
    assert json.loads(json.dumps(document)) == document
    assert document["balancer"]["timeouts"]["connect"] == "2s"
    assert document["web"]["max_body_size"] == "10M"
    assert document["app"]["secrets"]["KEY"] == {"generate": None, "file": None, "env": "KEY"}
    assert document["balancer"]["snippets"]["global"] == "a\n  b\n"
