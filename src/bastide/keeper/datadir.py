"""The data directory: what is in it, and how a new one comes about.

In: Settings. Out: `Contents`, a data directory in place, its record.
Holds: `data` appears by one rename of a finished directory that already holds its record, so it is either whole or
not there; a directory without our record is never written to.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from bastide.keeper.facts import Record
from bastide.keeper.settings import Settings
from bastide.keeper.systemd import tool_environment

RECORD = "bastide.json"
Contents = Literal["empty", "ours", "foreign"]


class DataDirectoryError(Exception):
    """A tool failed, or the record cannot be read; the message holds the tool's last lines."""


def observe_data(settings: Settings) -> Contents:
    """What `data` is."""
    if (settings.data / RECORD).exists():
        return "ours"
    try:
        return "foreign" if any(settings.data.iterdir()) else "empty"
    except FileNotFoundError:
        return "empty"
    except NotADirectoryError:
        return "foreign"


def measure_copy(settings: Settings) -> int:
    """Bytes that a copy of the data needs on another host: no logs, and a little for making it usable."""
    sizes = (
        (Path(directory) / name).stat(follow_symlinks=False).st_size
        for directory, _, names in os.walk(settings.data)
        for name in names
        if not name.startswith(("binlog.", "relay."))
    )
    try:
        return sum(sizes) * 11 // 10
    except FileNotFoundError:
        return 0  # a table was dropped meanwhile


def measure_room(settings: Settings) -> int | None:
    """Bytes that are free for the data."""
    try:
        found = os.statvfs(settings.data)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def find_room(settings: Settings, needed: int) -> None:
    """Before anything is touched. Raises DataDirectoryError where a copy would fill the disk."""
    free = shutil.disk_usage(settings.state).free
    if needed > free:
        raise DataDirectoryError(
            f"a copy needs {needed / 1e9:.1f} GB in {settings.state}, where {free / 1e9:.1f} GB are free: make room, "
            "or give the host a larger disk. Nothing was touched"
        )


def find_foreign_databases(settings: Settings) -> tuple[str, ...]:
    """Databases in the place of Debian's package, beside those that its installation makes."""
    stock = {"mysql", "performance_schema", "sys", "test", "lost+found", "#innodb_redo"}
    try:
        return tuple(sorted(e.name for e in settings.stock_data.iterdir() if e.is_dir() and e.name not in stock))
    except FileNotFoundError:
        return ()


def read_record(settings: Settings) -> Record | None:
    """The record; None without data. Raises DataDirectoryError if it cannot be understood."""
    path = settings.data / RECORD
    try:
        plain = json.loads(path.read_text())
        if plain.pop("format") != 1 or plain["role"] not in ("primary", "replica"):
            raise ValueError("unknown format or role")
        return Record(**plain)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataDirectoryError(f"{path}: {error}") from error


def write_record(directory: Path, record: Record) -> None:
    """Replace the record in a data directory; on disk when this returns."""
    temporary = directory / f"{RECORD}.new"
    plain = {"format": 1, "role": record.role, "epoch": record.epoch, "seed_gtid": record.seed_gtid}
    if record.cluster:
        plain["cluster"] = record.cluster
    with temporary.open("w") as file:
        file.write(json.dumps(plain) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(directory / RECORD)
    _sync_directory(directory)


def initialise(settings: Settings) -> None:
    """A new, empty database: root and the keeper's account by unix_socket, no other account, no test database."""
    incoming = clear_incoming(settings)
    run_tool(
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={incoming}",
        "--auth-root-authentication-method=socket",
        "--auth-root-socket-user=mysql",
        "--skip-test-db",
        "--skip-name-resolve",
    )
    adopt(settings, Record(role="primary", epoch=1))


def clear_incoming(settings: Settings) -> Path:
    """An empty `incoming`; what an interrupted attempt left is removed (it never served)."""
    shutil.rmtree(settings.incoming, ignore_errors=True)
    settings.incoming.mkdir(mode=0o700)
    return settings.incoming


def adopt(settings: Settings, record: Record) -> None:
    """Make `incoming` the data directory. Raises DataDirectoryError if one has come into being meanwhile."""
    write_record(settings.incoming, record)
    _sync_tree(settings.incoming)
    try:
        settings.incoming.rename(settings.data)  # replaces an empty directory, refuses any other
    except OSError as error:
        raise DataDirectoryError(f"{settings.data}: {error.strerror}") from error
    _sync_directory(settings.state)


def run_tool(*argv: str) -> None:
    """Run a tool of MariaDB's to its end. Raises DataDirectoryError with its last lines."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=tool_environment(),
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise DataDirectoryError(f"{argv[0]} ended with {done.returncode}:\n{last}")


def _sync_tree(top: Path) -> None:
    """Our files only: a sync of everything would wait for all that the machine has to write."""
    for directory, _, names in os.walk(top):
        for name in names:
            with (Path(directory) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_directory(Path(directory))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
