"""The registry of labs: a slot for life, no two alike, none given away twice."""

import threading
from pathlib import Path

import pytest

from bastide.lab.errors import LabError
from bastide.lab.names import lab_networks
from bastide.lab.state import find_networks, known_labs, reserve_networks


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """A directory in place of /sys/class/net, without interfaces."""
    folder = tmp_path / "net"
    folder.mkdir()
    return folder


def test_a_lab_keeps_its_networks(tmp_path: Path, nothing: Path) -> None:
    first = reserve_networks("shop", labs=tmp_path / "labs", interfaces=nothing)
    reserve_networks("blog", labs=tmp_path / "labs", interfaces=nothing)
    assert reserve_networks("shop", labs=tmp_path / "labs", interfaces=nothing) == first
    assert find_networks("shop", labs=tmp_path / "labs") == first
    assert known_labs(labs=tmp_path / "labs") == ("blog", "shop")


def test_an_unknown_lab_has_none(tmp_path: Path) -> None:
    assert find_networks("shop", labs=tmp_path) is None
    assert known_labs(labs=tmp_path / "absent") == ()


def test_labs_reserved_at_the_same_time_differ(tmp_path: Path, nothing: Path) -> None:
    found: list[int] = []

    def reserve(name: str) -> None:
        found.append(reserve_networks(name, labs=tmp_path / "labs", interfaces=nothing).index)

    threads = [threading.Thread(target=reserve, args=(f"lab{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(12))


def test_a_slot_whose_bridge_still_exists_is_not_given_away(tmp_path: Path, nothing: Path) -> None:
    (nothing / lab_networks(0).private_bridge).touch()
    assert reserve_networks("shop", labs=tmp_path / "labs", interfaces=nothing).index == 1


def test_the_registry_is_roots_alone(tmp_path: Path, nothing: Path) -> None:
    reserve_networks("shop", labs=tmp_path / "labs", interfaces=nothing)
    assert (tmp_path / "labs").stat().st_mode & 0o777 == 0o700


def test_the_257th_lab_is_refused(tmp_path: Path, nothing: Path) -> None:
    for index in range(256):
        (nothing / lab_networks(index).public_bridge).touch()
    with pytest.raises(LabError, match="taken"):
        reserve_networks("shop", labs=tmp_path / "labs", interfaces=nothing)
