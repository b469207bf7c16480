"""Malformed specs, each with the report that a person gets. `UPDATE_EXPECTED=1` writes the reports anew.

A case may hold an overlay (`bastide.prod.yaml`), the name of another environment (`environment`), and what a product's
checker said on a host (`checker.HOST.txt`; tests/golden/test_refused_snippets.py holds that it does say that).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bastide.bundle.compile import compile_bundles
from bastide.bundle.model import HostBundle
from bastide.project.refused import explain_refusal
from bastide.spec.codes import CODES
from bastide.spec.errors import SpecError, SpecInvalid, in_order
from bastide.spec.load import LoadedSpec, load_spec
from bastide.spec.model import Spec
from bastide.spec.report import format_errors
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import make_spec

CASES = Path(__file__).parents[2] / "cases" / "spec"
NAMES = sorted(folder.name for folder in CASES.iterdir())


def _environment(folder: Path) -> str | None:
    if (folder / "environment").exists():
        return (folder / "environment").read_text().strip()
    return "prod" if (folder / "bastide.prod.yaml").exists() else None


def _faults(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[SpecError, ...]:
    folder = CASES / name
    monkeypatch.chdir(folder)
    try:
        loaded = load_spec(
            Path("bastide.yaml"), environment=_environment(folder), check_files=name.startswith("path-")
        )
    except SpecInvalid as invalid:
        return invalid.errors
    assert all(warning.severity == "warning" for warning in loaded.warnings)
    refused = [error for host, said in _checkers(folder) for error in refusals(loaded, host, said)]
    return in_order((*loaded.warnings, *refused))


def _checkers(folder: Path) -> list[tuple[str, list[str]]]:
    return [(file.name.split(".")[1], file.read_text().splitlines()) for file in folder.glob("checker.*.txt")]


def refusals(loaded: LoadedSpec, host: str, said: Sequence[str]) -> tuple[SpecError, ...]:
    return explain_refusal(loaded, compiled(loaded.spec)[1][host], said)


def compiled(written: Spec) -> tuple[Topology, Mapping[str, HostBundle]]:
    """The topology and the bundles of a spec that may have no addresses."""
    spec = make_spec({}, **{**written.model_dump(by_alias=True, exclude_unset=True), "hosts": addressed(written)})
    topology = resolve_topology(spec)
    return topology, compile_bundles(spec, topology, fake_materials(spec, topology))


def addressed(spec: Spec) -> dict[str, object]:
    return {
        name: {"roles": host.roles, "address": f"10.213.0.{number}", "public": f"198.18.0.{number}"}
        for number, (name, host) in enumerate(spec.hosts.items(), start=10)
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_report_is_the_expected_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    report = format_errors(_faults(name, monkeypatch), colour=False)
    expected = CASES / name / "expected.txt"
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(report, encoding="utf-8")
    assert report == expected.read_text(encoding="utf-8")
    assert report != "0 errors\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_error_is_explained_and_points_into_its_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in _faults(name, monkeypatch):
        assert error.code in CODES
        assert not error.message.endswith(".")
        if error.line:
            lines = error.file.read_text(encoding="utf-8", errors="replace").splitlines()
            assert error.line <= len(lines) + 1
            assert error.length >= 1
            assert len(error.excerpt) == len(lines[error.line - 1] if error.line <= len(lines) else "") or (
                error.code == "BST002"
            )


def test_the_corpus_is_large_and_meets_every_code() -> None:
    met = {found for name in NAMES for found in re.findall(r"^(?:error|warning)\[(\w+)\]", _expected(name), re.M)}
    assert met == set(CODES)
    assert len(NAMES) >= 80


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        ("field-secret-in-the-spec", "mode: canary", ("canary-one", "canary-two", "canary-three", "canary-four")),
        ("warn-secrets-in-the-open", "PAYMENT_API_KEY", ("canary-one", "canary-two")),
    ],
)
def test_no_report_shows_a_secret_that_stands_in_the_spec(name: str, shown: str, hidden: Sequence[str]) -> None:
    report = _expected(name)
    assert shown in report  # the control: what is no secret is shown
    for secret in hidden:
        assert secret in (CASES / name / "bastide.yaml").read_text(encoding="utf-8")
        assert secret not in report


def _expected(name: str) -> str:
    return (CASES / name / "expected.txt").read_text(encoding="utf-8")
