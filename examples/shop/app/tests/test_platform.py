"""What the platform relies on: forwarded headers, migrations, a key, nothing cached."""

import os
import subprocess
import sys

import pytest
from conftest import Browser
from flask import Flask
from throwaway_mariadb import ThrowawayMariaDB, free_port

FORWARDED = {
    "X-Forwarded-For": "198.51.100.9, 203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}


def test_the_visitor_is_who_the_last_proxy_says(app: Flask) -> None:
    seen = app.test_client().get("/whoami", headers=FORWARDED).get_json()
    assert seen["remote_address"] == "203.0.113.7", "what the visitor claims himself does not count"
    assert (seen["scheme"], seen["host"], seen["pid"]) == ("https", "shop.example", os.getpid())
    assert seen["host_name"]


def test_pages_are_not_cached_and_load_nothing_foreign(browser: Browser) -> None:
    headers = browser.get("/").headers
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_without_a_secret_key_it_does_not_start(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shop import create_app

    monkeypatch.delenv("SECRET_KEY")
    with pytest.raises(KeyError, match="SECRET_KEY"):
        create_app()


def migration(environment: dict[str, str], **extra: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "shop.migrate"],
        env=os.environ | environment | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_migrations_run_at_once_on_several_hosts_and_again(
    app: Flask, environment: dict[str, str], mariadb: ThrowawayMariaDB
) -> None:
    mariadb.sql("DROP DATABASE shop; CREATE DATABASE shop")
    runs = [migration(environment) for _ in range(3)]
    said = sorted(run.communicate(timeout=60)[0].strip() for run in runs)
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert said == ["migrate: applied [1]"] + ["migrate: nothing to do"] * 2
    assert mariadb.number("SELECT COUNT(*) FROM shop.products") == 12

    mariadb.sql("UPDATE shop.products SET stock = 3 WHERE id = 1")
    again = migration(environment)
    assert again.communicate(timeout=60)[0].strip() == "migrate: nothing to do"
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 3, "sold goods stay sold"


def test_every_table_is_innodb_with_a_primary_key(app: Flask, mariadb: ThrowawayMariaDB) -> None:
    assert mariadb.number("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'") == 5
    assert not mariadb.sql(
        "SELECT table_name FROM information_schema.tables t WHERE table_schema = 'shop'"
        " AND (engine <> 'InnoDB' OR NOT EXISTS"
        " (SELECT 1 FROM information_schema.table_constraints c WHERE c.table_schema = 'shop'"
        " AND c.table_name = t.table_name AND constraint_type = 'PRIMARY KEY'))"
    )


def test_a_migration_waits_and_then_gives_up_without_a_traceback(environment: dict[str, str]) -> None:
    nowhere = {"DATABASE_URL": f"mysql://a:secret@127.0.0.1:{free_port()}/shop", "MIGRATE_PATIENCE_S": "2"}
    run = migration(environment, **nowhere)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "waiting for the database" in said and "gave up" in said
    assert "Traceback" not in said and "secret" not in said
