"""Which checks are asked, and which answer is known already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import bastide.host.check as subject
from bastide.host.errors import Failure
from bastide.host.machine import Finished, Machine

FILE = {"name": "nginx -t", "argv": ["nginx"], "network": False, "quiet": False, "inputs": "of-the-files"}
AROUND = {"name": "keeper", "argv": ["keeper"], "network": False, "quiet": False, "inputs": ""}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the checks that were run; `bad` in a name fails."""
    names: list[str] = []

    def run(check: Any, _tree: Path) -> Finished:
        names.append(check["name"])
        return Finished(argv=("x",), status=int("bad" in check["name"]), output="")

    monkeypatch.setattr(subject, "run_check", run)
    return names


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    one = Machine(root=tmp_path)
    one.home.mkdir(parents=True)
    status = one.path("/var/lib/dpkg/status")
    status.parent.mkdir(parents=True)
    status.write_text("packages")
    return one


def check(machine: Machine, *checks: dict[str, Any]) -> None:
    subject.run_checks(machine, {"checks": list(checks)}, "digest", lambda *_, **__: None, list)  # type: ignore[typeddict-item]


def test_what_passed_for_the_same_files_is_not_asked_again(machine: Machine, asked: list[str]) -> None:
    check(machine, FILE, AROUND)
    check(machine, FILE, AROUND)
    assert asked == ["nginx -t", "keeper", "keeper"], "what looks around is asked at every apply"


def test_other_files_other_words_and_other_packages_are_asked(machine: Machine, asked: list[str]) -> None:
    check(machine, FILE)
    check(machine, {**FILE, "inputs": "of-other-files"})
    check(machine, {**FILE, "argv": ["nginx", "-q"]})
    os.utime(machine.path("/var/lib/dpkg/status"), (1, 1))
    check(machine, FILE)
    assert asked == ["nginx -t"] * 4


def test_a_failure_is_never_remembered(machine: Machine, asked: list[str]) -> None:
    bad = {**FILE, "name": "bad"}
    for _ in range(2):
        with pytest.raises(Failure):
            check(machine, FILE, bad)
    assert asked == ["nginx -t", "bad", "bad"]
