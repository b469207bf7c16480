"""Copying a running server: the donor streams a backup, the receiver makes a data directory of it.

In, donor: a connected byte stream (systemd hands it over as stdin and stdout). In, receiver: a peer's seed socket.
Out: an adopted data directory whose record holds the backup's GTID position.
Holds: the stream carries the backup's exit status behind its last block, so a copy that broke off is never taken
for a whole one; an interrupted copy starts again from nothing.

Format: blocks of a 4-byte big-endian length and that many bytes of mbstream; a length of 0 ends it and is followed
by one byte: 0 for a complete backup.
"""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path
from typing import BinaryIO

from bastide.keeper.datadir import DataDirectoryError, adopt, clear_incoming, run_tool
from bastide.keeper.facts import Record
from bastide.keeper.settings import Settings

BLOCK = 1 << 20
LENGTH = struct.Struct(">I")
SILENCE_S = 120.0
"""Without a single block for this long, the donor is taken for dead."""


class SeedFailed(Exception):
    """The copy did not become whole; it can be tried again."""


def donate(settings: Settings, out: BinaryIO) -> int:
    """Stream a backup of the local server. Returns the backup's exit status; its log goes to stderr."""
    argv = (
        "mariabackup",
        "--no-defaults",
        "--backup",
        "--stream=mbstream",
        f"--datadir={settings.data}",
        f"--socket={settings.server_socket}",
        "--user=mysql",
        # Only small files of its own while it streams; the unit's /tmp is private.
        "--target-dir=/tmp",
    )
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as backup:
        assert backup.stdout is not None
        try:
            while block := backup.stdout.read(BLOCK):
                out.write(LENGTH.pack(len(block)) + block)
            status = backup.wait()
            out.write(LENGTH.pack(0) + bytes([0 if status == 0 else 1]))
            out.flush()
        except BrokenPipeError:
            backup.kill()
            return 1
    return status


def receive(settings: Settings, seed_socket: str, epoch: int) -> None:
    """Copy the donor behind the socket and adopt it. Raises SeedFailed, DataDirectoryError, OSError."""
    incoming = clear_incoming(settings)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SILENCE_S)
        connection.connect(seed_socket)
        with connection.makefile("rb") as stream:
            _unpack(stream, incoming)
    run_tool("mariabackup", "--no-defaults", "--prepare", f"--target-dir={incoming}")
    gtid = _read_position(incoming)
    adopt(settings, Record(role="replica", epoch=epoch, seed_gtid=gtid))


def _unpack(stream: BinaryIO, directory: Path) -> None:
    with subprocess.Popen(
        ("mbstream", "-x", "-C", str(directory)), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as unpacker:
        assert unpacker.stdin is not None and unpacker.stderr is not None
        try:
            while length := LENGTH.unpack(_read_exactly(stream, LENGTH.size))[0]:
                unpacker.stdin.write(_read_exactly(stream, length))
            unpacker.stdin.close()
        except BaseException:
            unpacker.kill()
            raise
        donor_status = _read_exactly(stream, 1)[0]
        errors = unpacker.stderr.read().decode(errors="replace").strip()
        if unpacker.wait() != 0:
            raise SeedFailed(f"mbstream ended with {unpacker.returncode}: {errors[-500:]}")
    if donor_status != 0:
        raise SeedFailed("the donor's backup failed; its journal says why (unit database-seed@)")


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    if length > 64 * BLOCK:
        raise SeedFailed("the stream is not a copy stream")
    found = stream.read(length)
    if len(found) != length:
        raise SeedFailed("the stream broke off")
    return found


def _read_position(directory: Path) -> str:
    """The GTID of the backup: third field of xtrabackup_binlog_info; empty where nothing was ever written."""
    try:
        fields = (directory / "xtrabackup_binlog_info").read_text().strip().split("\t")
    except FileNotFoundError as error:
        raise DataDirectoryError("the backup holds no binlog position") from error
    return fields[2] if len(fields) > 2 else ""
