"""Control groups: which kind of host this is, and what follows from it."""

from pathlib import Path

import pytest

from bastide.lab.cgroups import (
    Hierarchies,
    detect_hierarchies,
    group_of,
    init_pid,
    is_frozen,
    is_running,
    launch_prefix,
    place,
    remove_groups,
)
from bastide.lab.errors import LabError


def hybrid(tmp_path: Path) -> Hierarchies:
    for hierarchy in ("unified", "systemd"):
        (tmp_path / hierarchy).mkdir()
    (tmp_path / "unified" / "cgroup.procs").touch()
    return detect_hierarchies(mount=tmp_path, systemd=tmp_path / "no-systemd")


def test_a_hybrid_host_needs_a_group_in_two_hierarchies(tmp_path: Path) -> None:
    hosts = hybrid(tmp_path)
    assert hosts == Hierarchies(unified=tmp_path / "unified", others=(tmp_path / "systemd",), by_systemd=False)
    place(hosts, "shop", "web1", 4711)
    for hierarchy in ("unified", "systemd"):
        assert (tmp_path / hierarchy / "bastide/shop/web1/cgroup.procs").read_text() == "4711\n"
    assert launch_prefix(hosts, "shop", "web1") == []


def test_a_host_with_systemd_is_asked_for_a_delegated_scope(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "systemd-runs").mkdir()
    hosts = detect_hierarchies(mount=tmp_path, systemd=tmp_path / "systemd-runs")
    assert hosts == Hierarchies(unified=tmp_path, others=(), by_systemd=True)
    prefix = launch_prefix(hosts, "shop", "web1")
    assert prefix[0] == "systemd-run" and "--property=Delegate=yes" in prefix and prefix[-1] == "--"
    assert group_of(hosts, "shop", "web1") == tmp_path / "bastide.slice" / "bastide-shop:web1.scope"
    assert group_of(hosts, "a-b", "c") != group_of(hosts, "a", "b-c")


def test_a_host_without_cgroup_v2_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no cgroup v2"):
        detect_hierarchies(mount=tmp_path, systemd=tmp_path / "none")


def test_life_and_freeze_are_read_from_the_kernels_events(tmp_path: Path) -> None:
    assert not is_running(tmp_path / "absent")
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    assert is_running(tmp_path) and not is_frozen(tmp_path)
    (tmp_path / "cgroup.events").write_text("populated 0\nfrozen 1\n")
    assert not is_running(tmp_path) and is_frozen(tmp_path)


def test_the_machines_first_process_is_found(tmp_path: Path) -> None:
    assert init_pid(tmp_path) is None
    (tmp_path / "machine/payload/init.scope").mkdir(parents=True)
    (tmp_path / "machine/payload/init.scope/cgroup.procs").write_text("812\n")
    assert init_pid(tmp_path) == 812


def test_removing_groups_leaves_other_labs(tmp_path: Path) -> None:
    hosts = hybrid(tmp_path)
    for lab in ("shop", "blog"):
        for hierarchy in ("unified", "systemd"):
            (tmp_path / hierarchy / "bastide" / lab / "web1" / "payload").mkdir(parents=True)
    remove_groups(hosts, "shop", "web1")
    assert not (tmp_path / "unified/bastide/shop").exists()
    assert (tmp_path / "systemd/bastide/blog/web1/payload").is_dir()
    remove_groups(hosts, "blog", "web1")
    assert not (tmp_path / "unified/bastide").exists() and not (tmp_path / "systemd/bastide").exists()
