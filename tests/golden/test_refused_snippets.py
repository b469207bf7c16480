"""What the real checkers say of a broken snippet is shown at its line in the spec. `UPDATE_EXPECTED=1` records anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bastide.project import refused
from bastide.spec.load import load_spec
from tests.unit.spec.test_cases import CASES, compiled, refusals

NAMES = sorted(folder.name for folder in CASES.iterdir() if folder.name.startswith("snippet-refused"))
HOSTS = {"balancer": "lb1", "web": "web1", "database": "web1"}


@pytest.mark.parametrize("name", NAMES)
def test_the_checkers_say_what_the_corpus_records(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / name)
    loaded = load_spec(Path("bastide.yaml"), check_files=False)
    bundles = compiled(loaded.spec)[1]
    roles = refused._roles_with_snippets(loaded.spec)
    said = [line for role in roles for line in refused._run(bundles[HOSTS[role]], refused._CHECKERS[role][0])]
    assert said, "the checker accepts it"
    [host] = {HOSTS[role] for role in roles}
    record = CASES / name / f"checker.{host}.txt"
    if os.environ.get("UPDATE_EXPECTED") or os.environ.get("BASTIDE_WRITE_GOLDEN"):
        record.write_text("\n".join(_timeless(line) for line in said) + "\n")
    found = refusals(loaded, host, said)
    assert found == refusals(loaded, host, record.read_text().splitlines())
    assert {error.code for error in found} == {"BST073"}


@pytest.mark.parametrize("name", NAMES)
def test_this_computer_warns_before_any_host_is_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / name)
    loaded = load_spec(Path("bastide.yaml"), check_files=False)
    topology, bundles = compiled(loaded.spec)
    warnings = refused.check_here(loaded, topology, bundles)
    assert warnings and {warning.severity for warning in warnings} == {"warning"}
    assert [w.line for w in warnings] == [
        int(line) for line in re.findall(r"--> bastide.yaml:(\d+)", (CASES / name / "expected.txt").read_text())
    ]


def test_snippets_that_are_right_are_not_blamed(tmp_path: Path) -> None:
    text = (CASES / "snippet-refused-by-nginx" / "bastide.yaml").read_text()
    (tmp_path / "bastide.yaml").write_text(text.replace("no_such_directive on", "types_hash_max_size 4096"))
    loaded = load_spec(tmp_path / "bastide.yaml", check_files=False)
    assert refused.check_here(loaded, *compiled(loaded.spec)) == ()


def _timeless(line: str) -> str:
    line = re.sub(r"^\d{4}([-/])\d\d[-/]\d\d +\d+:\d\d:\d\d", r"2026\g<1>01\g<1>01 00:00:00", line)
    return re.sub(r"\d+#\d+:", "7#7:", re.sub(r"\(\d+\) :", "(7) :", line))
