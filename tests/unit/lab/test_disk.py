"""A machine's disk: what is seeded, what survives, where a planted link may not lead."""

import os
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from bastide.lab.disk import DISK, machine_dir, prepare_disk, read_papers, recorded_machines, write_seed
from bastide.lab.errors import LabError, UnknownMachine
from bastide.lab.nspawn import overlay_options
from bastide.lab.seed import SeedFile
from bastide.lab.spec import MachineSpec

WEB = MachineSpec(name="web1", private=IPv4Interface("10.213.0.10/24"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    image = tmp_path / "image"
    image.mkdir()
    prepare_disk("shop", WEB, image, labs=tmp_path / "labs")
    return machine_dir("shop", "web1", labs=tmp_path / "labs")


def test_papers_are_kept_and_the_machine_id_stays(home: Path, tmp_path: Path) -> None:
    before = read_papers("shop", "web1", labs=tmp_path / "labs")
    other = tmp_path / "newer"
    other.mkdir()
    after = prepare_disk("shop", WEB, other, labs=tmp_path / "labs")
    assert after == before, "a machine keeps the image that it began with"
    (tmp_path / "image").rmdir()
    assert prepare_disk("shop", WEB, other, labs=tmp_path / "labs").image == other
    assert recorded_machines("shop", labs=tmp_path / "labs") == ("web1",)


def test_a_machine_keeps_the_disk_that_it_began_with(tmp_path: Path) -> None:
    labs, image = tmp_path / "labs", tmp_path / "image"
    image.mkdir()
    small = replace(WEB, disk_bytes=64 << 20)
    prepare_disk("shop", small, image, labs=labs)
    home = machine_dir("shop", "web1", labs=labs)
    assert (home / DISK).stat().st_size == 64 << 20 and (home / DISK).stat().st_blocks * 512 < 16 << 20
    assert prepare_disk("shop", WEB, image, labs=labs).spec == small == read_papers("shop", "web1", labs=labs).spec
    assert str(home / "disk" / "upper") in overlay_options(image, home)


def test_one_that_began_without_gets_none(home: Path, tmp_path: Path) -> None:
    wanted = replace(WEB, disk_bytes=64 << 20)
    assert prepare_disk("shop", wanted, tmp_path / "image", labs=tmp_path / "labs").spec == WEB
    assert not (home / DISK).exists()


def test_an_unknown_machine_is_told_apart_with_a_list(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownMachine) as unknown:
        read_papers("shop", "web2", labs=tmp_path / "labs")
    assert "web1" in unknown.value.hint


def test_files_get_their_modes_and_roots_directory_is_closed(home: Path) -> None:
    files = {
        "/root/.ssh/authorized_keys": SeedFile(content="key\n", mode=0o600),
        "/etc/hostname": SeedFile(content="web1\n"),
    }
    write_seed(home, files)
    upper = home / "upper"
    assert (upper / "root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
    assert (upper / "root").stat().st_mode & 0o777 == 0o700
    assert (upper / "etc").stat().st_mode & 0o777 == 0o755
    assert (upper / "etc/hostname").read_text() == "web1\n"


def test_a_strict_umask_of_ours_does_not_close_the_machine(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    before = os.umask(0o077)
    try:
        prepare_disk("shop", WEB, tmp_path / "image", labs=tmp_path / "labs")
        home = machine_dir("shop", "web1", labs=tmp_path / "labs")
        write_seed(home, {"/etc/systemd/network/a": SeedFile(content="x")})
    finally:
        os.umask(before)
    folders = ("upper", "upper/etc", "upper/etc/systemd/network")
    assert [(home / folder).stat().st_mode & 0o777 for folder in folders] == [0o755] * 3


def test_what_others_changed_since_is_kept_until_the_seed_changes(home: Path) -> None:
    hosts = home / "upper/etc/hosts"
    write_seed(home, {"/etc/hosts": SeedFile(content="one\n")})
    hosts.write_text("managed\n")
    write_seed(home, {"/etc/hosts": SeedFile(content="one\n")})
    assert hosts.read_text() == "managed\n"
    write_seed(home, {"/etc/hosts": SeedFile(content="two\n")})
    assert hosts.read_text() == "two\n"


def test_a_link_planted_by_the_machine_does_not_lead_out(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (home / "upper/etc").symlink_to(outside)
    with pytest.raises(LabError, match="not a directory"):
        write_seed(home, {"/etc/hosts": SeedFile(content="x")})
    assert list(outside.iterdir()) == []


def test_a_file_that_is_a_link_is_replaced_not_followed(home: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (home / "upper/etc").mkdir()
    (home / "upper/etc/hosts").symlink_to(victim)
    write_seed(home, {"/etc/hosts": SeedFile(content="x")})
    assert victim.read_text() == "mine"
