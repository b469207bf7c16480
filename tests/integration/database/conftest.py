"""Scenes that several tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.database.scene import DATABASES, Scene, grant, make_spec, raise_scene

NEEDED = ("mariadbd", "mariabackup", "haproxy", "unshare", "systemd-socket-activate", "curl")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a unix socket's path has 107 characters."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing) or 'nothing else'}")
    with tempfile.TemporaryDirectory(prefix="bastide-db-") as name:
        yield Path(name)


@pytest.fixture
def pair(folder: Path) -> Iterator[Scene]:
    """db1 primary, db2 its replica with semi-sync on, app1 with its proxy."""
    with raise_scene(folder, make_spec(DATABASES), "db1", "db2", "app1") as scene:
        db1, db2 = scene.nodes["db1"], scene.nodes["db2"]
        grant(db1)
        for node in (db1, db2):
            node.start_all()
        scene.nodes["app1"].start_proxy()
        scene.until(lambda: db1.is_("primary") and db2.is_("replica"), "a primary and its replica")
        scene.until(lambda: bool(db1.status()[1]["semi_sync"]), "semi-sync")
        yield scene
