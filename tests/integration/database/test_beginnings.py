"""How a data directory comes about, and when it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastide.products.keeper import render as keeper
from bastide.products.mariadb import paths
from tests.integration.database.scene import DATABASES, grant, make_spec, raise_scene

pytestmark = pytest.mark.lab


def test_a_single_server_needs_a_grant_and_listens_to_no_network(folder: Path) -> None:
    with raise_scene(folder, make_spec({"db1": "127.77.0.11"}), "db1", "app1") as scene:
        db1 = scene.nodes["db1"]
        db1.start_proxy()
        db1.start_keeper()
        scene.until(lambda: db1.is_(None, "waiting-for-grant"), "nothing is made without the grant")  # type: ignore[arg-type]
        grant(db1)
        scene.until(lambda: db1.is_("primary") and db1.status("/primary")[0] == 200, "a primary")
        assert db1.sql("SELECT @@skip_networking, @@read_only") == [["1", "0"]]
        assert db1.sql("SHOW DATABASES LIKE 'shop'") == [["shop"]]
        assert db1.status("/replica")[0] == 503


def test_an_unknown_data_directory_is_refused_and_left_untouched(folder: Path) -> None:
    with raise_scene(folder, make_spec({"db1": "127.77.0.11"}), "db1") as scene:
        db1 = scene.nodes["db1"]
        treasure = db1.path(f"{paths.DATA}/ibdata1")
        treasure.parent.mkdir()
        treasure.write_text("someone's data")
        grant(db1)
        db1.start_keeper()
        scene.until(lambda: db1.is_(None, "refused"), "refused")  # type: ignore[arg-type]
        assert [p.name for p in treasure.parent.iterdir()] == ["ibdata1"]
        assert treasure.read_text() == "someone's data"


def test_a_database_in_the_place_of_debians_package_fails_the_check(folder: Path) -> None:
    with raise_scene(folder, make_spec({"db1": "127.77.0.11"}), "db1") as scene:
        db1 = scene.nodes["db1"]
        check = ("/usr/bin/python3", "-I", keeper.PROGRAM, "check", keeper.SETTINGS)
        for stock in ("mysql", "sys", "performance_schema"):
            db1.path(f"{paths.STOCK_DATA}/{stock}").mkdir()
        assert db1.run(*check).returncode == 0
        db1.path(f"{paths.STOCK_DATA}/wordpress").mkdir()
        done = db1.run(*check)
        assert done.returncode == 1 and "wordpress" in done.stderr


def test_a_copy_that_broke_off_is_never_served_and_starts_again(folder: Path) -> None:
    with raise_scene(folder, make_spec(DATABASES), "db1", "db2") as scene:
        db1, db2 = scene.nodes["db1"], scene.nodes["db2"]
        grant(db1)
        db1.start_all()
        scene.until(lambda: db1.is_("primary"), "a primary")
        donor = db1.path("/etc/bastide/keeper/keeper.pyz")
        program = donor.read_bytes()
        # A donor that sends the beginning of a copy and dies.
        donor.write_text("import sys; sys.stdout.buffer.write((1000).to_bytes(4, 'big') + b'XBSTCK01')")
        db2.start_all()
        scene.until(lambda: "broke off" in db2.output or "mbstream" in db2.output, "the copy fails")
        assert not db2.path(paths.DATA).exists()
        assert db2.status("/replica")[0] == db2.status("/ready")[0] == 503
        donor.write_bytes(program)
        scene.until(lambda: db2.is_("replica"), "the next attempt succeeds")


def test_a_grant_makes_no_second_database_beside_a_running_one(folder: Path) -> None:
    with raise_scene(folder, make_spec(DATABASES), "db1", "db2") as scene:
        db1, db2 = scene.nodes["db1"], scene.nodes["db2"]
        grant(db1)
        db1.start_all()
        scene.until(lambda: db1.is_("primary"), "a primary")
        grant(db2)
        db2.start_all()
        scene.until(lambda: db2.is_("replica"), "the second copies, although it may initialise")


def test_plain_text_inside_works_by_addresses(folder: Path) -> None:
    with raise_scene(folder, make_spec(DATABASES, inside="plain"), "db1", "db2") as scene:
        db1, db2 = scene.nodes["db1"], scene.nodes["db2"]
        grant(db1)
        # Loopback addresses of this machine: every connection comes from the first of them.
        for node in (db1, db2):
            for name in ("sql", "status", "seed"):
                with node.path(f"/etc/bastide/sqlproxy/peers/{name}.lst").open("a") as file:
                    file.write("127.0.0.1\n")
            node.start_all()
        scene.until(lambda: db1.is_("primary") and db2.is_("replica"), "both roles")
        scene.until(lambda: bool(db1.status()[1]["semi_sync"]), "semi-sync")
