"""Whatever the file holds, loading answers with a spec or with SpecInvalid, and the report can be written."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastide.spec.errors import SpecInvalid
from bastide.spec.load import load_spec
from bastide.spec.model import Spec
from bastide.spec.presets import preset_text
from bastide.spec.report import format_errors
from tests.unit.spec.samples import SMALL

_CHARACTERS = "ab01.-: \n\t[]{},'\"&*!|>%@#?~<=/\\_\r\x00\x07é\u2028"
_PIECES = st.sampled_from(
    [*SMALL.splitlines(keepends=True), "? ", "- ", "&a ", "*a", "<<: *a\n", "null", "~", "---\n", "...\n", "!!str ",
     "hosts:\n", "database:\n", "tls: {edge: ", "[", "]", "{", "}", '"\\x41', "|\n", ">-\n", "  ", "1e9", "0x"]
)  # fmt: skip
_KEYS = st.sampled_from(
    ["name", "hosts", "roles", "app", "kind", "tls", "edge", "key", "database", "password", "x.y"]
)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["web", "5s", "10.0.0.1", "auto"])
)
_TREES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)
_SECTIONS = st.dictionaries(st.sampled_from(list(Spec.model_fields)), _TREES, max_size=8)
_ORDINARY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _load_anything(raw: bytes, overlay: bytes | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bastide.yaml"
        file.write_bytes(raw)
        if overlay is not None:
            file.with_name("bastide.x.yaml").write_bytes(overlay)
        refusal: SpecInvalid | None = None
        try:
            load_spec(file, environment=None if overlay is None else "x")
        except SpecInvalid as invalid:
            refusal = invalid
        if refusal is not None:
            assert refusal.errors
            assert format_errors(refusal.errors, colour=False)
            assert format_errors(refusal.errors, colour=True)


@_ORDINARY
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    _load_anything(raw)


@_ORDINARY
@given(st.text(alphabet=_CHARACTERS, max_size=120))
def test_any_text_of_yaml_characters(text: str) -> None:
    _load_anything(text.encode())


@_ORDINARY
@given(st.lists(_PIECES, max_size=25), st.lists(_PIECES, max_size=10))
def test_any_order_of_pieces(pieces: list[str], overlay: list[str]) -> None:
    _load_anything("".join(pieces).encode(), "".join(overlay).encode())


@_ORDINARY
@given(_SECTIONS, _SECTIONS)
def test_any_values_in_any_section(sections: dict[str, object], overlay: dict[str, object]) -> None:
    _load_anything(repr_yaml(sections), repr_yaml(overlay))


@_ORDINARY
@given(st.data())
def test_a_preset_with_a_stretch_replaced(data: st.DataObject) -> None:
    text = preset_text("resilient", "shop")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    _load_anything((text[:start] + data.draw(st.text(_CHARACTERS, max_size=10)) + text[end:]).encode())


def repr_yaml(value: object) -> bytes:
    """JSON is YAML, surrogates apart."""
    return json.dumps(value, ensure_ascii=True).encode()
