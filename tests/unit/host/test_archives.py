"""Releases are unpacked whole, and nothing in one can land outside."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable

import pytest

from bastide.host.archives import is_unpacked, unpack_archive
from bastide.host.errors import Failure
from bastide.host.machine import read_accounts
from bastide.host.manifest import ArchiveEntry
from bastide.host.stage import prepare_state
from tests.unit.host.conftest import Bench


def packed(bench: Bench, *members: tuple[tarfile.TarInfo, bytes]) -> ArchiveEntry:
    """An archive that lies in the blobs."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    digest = hashlib.sha256(stream.getvalue()).hexdigest()
    prepare_state(bench.machine)
    (bench.machine.blobs / digest).write_bytes(stream.getvalue())
    return {"path": f"/srv/bastide/app/{digest}", "digest": digest, "size": 1, "owner": "root", "group": "root"}


def member(name: str, **fields: object) -> tarfile.TarInfo:
    """A member with these fields."""
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def test_release_is_unpacked_with_harmless_modes(bench: Bench) -> None:
    archive = packed(
        bench,
        (member("bin", type=tarfile.DIRTYPE, mode=0o777), b""),
        (member("bin/run", mode=0o4777, uid=12345), b"#!"),
        (member("bin/link", type=tarfile.SYMTYPE, linkname="../README"), b""),
        (member("README", mode=0o644), b"hello"),
    )
    unpack_archive(bench.machine, archive, read_accounts(bench.machine))
    run = bench.path(archive["path"]) / "bin/run"
    assert run.stat().st_mode & 0o7777 == 0o755
    assert run.stat().st_uid == os.geteuid()
    assert (bench.path(archive["path"]) / "bin/link").read_text() == "hello"


@pytest.mark.parametrize(
    "bad",
    [
        lambda: member("../out"),
        lambda: member("/out"),
        lambda: member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        lambda: member("a/link", type=tarfile.SYMTYPE, linkname="../../x"),
        lambda: member("hard", type=tarfile.LNKTYPE, linkname="../x"),
        lambda: member("device", type=tarfile.CHRTYPE),
        lambda: member("pipe", type=tarfile.FIFOTYPE),
    ],
)
def test_archive_that_leaves_its_directory_is_refused(bench: Bench, bad: Callable[[], tarfile.TarInfo]) -> None:
    archive = packed(bench, (bad(), b""))
    with pytest.raises(Failure) as refused:
        unpack_archive(bench.machine, archive, read_accounts(bench.machine))
    assert refused.value.code == "refused"
    assert not is_unpacked(bench.machine, archive)


def test_archive_that_writes_through_its_own_link_is_refused(bench: Bench) -> None:
    archive = packed(
        bench, (member("here", type=tarfile.DIRTYPE), b""),
        (member("link", type=tarfile.SYMTYPE, linkname="here"), b""), (member("link/x"), b"x"),
    )  # fmt: skip
    with pytest.raises(Failure, match="through a link"):
        unpack_archive(bench.machine, archive, read_accounts(bench.machine))


def test_archive_that_arrived_damaged_is_refused(bench: Bench) -> None:
    archive = packed(bench, (member("x"), b"x"))
    (bench.machine.blobs / archive["digest"]).write_bytes(b"short")
    with pytest.raises(Failure, match="did not arrive whole"):
        unpack_archive(bench.machine, archive, read_accounts(bench.machine))


def test_interrupted_unpacking_is_begun_again(bench: Bench) -> None:
    archive = packed(bench, (member("x"), b"x"))
    leftover = bench.path(f"/srv/bastide/app/.unpack-{archive['digest']}")
    leftover.mkdir(parents=True)
    (leftover / "old").write_text("half")
    assert not is_unpacked(bench.machine, archive)
    unpack_archive(bench.machine, archive, read_accounts(bench.machine))
    assert [p.name for p in bench.path(archive["path"]).iterdir()] == ["x"]
