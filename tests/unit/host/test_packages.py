"""Packages that left the spec: only ours, only when nothing kept or else needs them, and never their data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bastide.host.machine import Finished, Machine
from bastide.host.packages import note_installed, remove_packages


@dataclass
class FakeApt:
    """dpkg-query and apt-get of a machine; `needs`: what goes with a package."""

    installed: set[str]
    needs: dict[str, set[str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> Finished:
        if argv[0] == "dpkg-query":
            return Finished(
                tuple(argv), 0, "\n".join(f"{name} installed" for name in argv[3:] if name in self.installed)
            )
        assert argv[0] == "apt-get" and argv[-2] == "remove" and "purge" not in argv
        if "--simulate" in argv:
            gone = {argv[-1], *self.needs.get(argv[-1], ())}
            return Finished(tuple(argv), 0, "\n".join(f"Remv {name} [1.0]" for name in sorted(gone)))
        self.removed.append(argv[-1])
        self.installed.discard(argv[-1])
        return Finished(tuple(argv), 0, "")


@pytest.fixture
def apt() -> FakeApt:
    return FakeApt(installed={"nginx", "haproxy", "curl"})


@pytest.fixture
def machine(tmp_path: Path, apt: FakeApt) -> Machine:
    machine = Machine(root=tmp_path, run=apt)
    machine.home.mkdir(parents=True)
    return machine


def test_ours_goes_and_what_was_there_before_us_stays(machine: Machine, apt: FakeApt) -> None:
    note_installed(machine, ["nginx"])
    assert remove_packages(machine, staying=["haproxy"]) == (["nginx"], [])
    assert apt.removed == ["nginx"], "curl is nobody's of ours"
    assert remove_packages(machine, staying=["haproxy"]) == ([], []), "and is forgotten"


def test_what_a_kept_generation_names_stays_without_asking_anyone(machine: Machine, apt: FakeApt) -> None:
    note_installed(machine, ["nginx"])
    assert remove_packages(machine, staying=["nginx"]) == ([], [])
    assert not apt.removed


def test_what_something_else_came_to_need_stays_and_is_said(machine: Machine, apt: FakeApt) -> None:
    note_installed(machine, ["nginx"])
    apt.needs["nginx"] = {"their-module"}
    assert remove_packages(machine, staying=[]) == ([], ["nginx stays: their-module needs it"])
    assert not apt.removed


def test_two_of_ours_that_need_each_other_both_go(machine: Machine, apt: FakeApt) -> None:
    note_installed(machine, ["nginx", "haproxy"])
    apt.needs["nginx"] = {"haproxy"}
    gone, stays = remove_packages(machine, staying=[])
    assert (sorted(gone), stays) == (["haproxy", "nginx"], [])
