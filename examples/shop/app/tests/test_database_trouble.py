"""The database goes away, comes back, or refuses: nobody sees a traceback, nothing is done twice."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Browser
from flask import Flask
from throwaway_mariadb import ThrowawayMariaDB, free_port

CROWD = 20
MUG = {"items": [{"product_id": 1}]}


@pytest.fixture
def dead(app: Flask, mariadb: ThrowawayMariaDB) -> Iterator[None]:
    mariadb.kill()
    yield
    mariadb.start()


def kill_connections(mariadb: ThrowawayMariaDB) -> None:
    mariadb.sql("KILL USER tester@'127.0.0.1'")


@pytest.mark.usefixtures("dead")
def test_without_a_database_everything_is_a_short_503(browser: Browser) -> None:
    for path in ("/", "/product/stoneware-mug", "/order/0", "/api/products", "/api/ledger/a"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), path
        assert "Traceback" not in answer.text and "tester" not in answer.text
    answer = browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k"})
    assert answer.status_code == 503 and answer.is_json


@pytest.mark.usefixtures("dead")
def test_health_tells_a_dead_database_from_a_dead_process(browser: Browser) -> None:
    sick = browser.get("/healthz")
    assert sick.status_code == 503 and "database" in sick.get_json()["reason"]
    assert browser.get("/healthz?live=1").status_code == 200


def test_health_is_fine_when_all_is_fine(browser: Browser) -> None:
    assert (browser.get("/healthz").status_code, browser.get("/healthz").get_json()) == (
        200,
        {"status": "ok"},
    )


def test_a_silent_database_is_found_out(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from shop import create_app

    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, and never says a word
        monkeypatch.setenv("DATABASE_URL", f"mysql://a:b@127.0.0.1:{mute.getsockname()[1]}/shop")
        assert create_app().test_client().get("/healthz").status_code == 503, "though it would be silent for ever"


def test_a_frozen_database_is_a_503_until_it_thaws(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    assert browser.get("/").status_code == 200
    mariadb.freeze()
    try:
        started = time.monotonic()
        assert browser.get("/").status_code == 503
        assert time.monotonic() - started < 30, "3 s for the replica, 3 s for greeting the primary"
        assert browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k1"}).status_code == 503
    finally:
        mariadb.thaw()
    assert browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k1"}).status_code in (200, 201)
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 1


def test_many_idle_connections_to_a_frozen_database_cost_one_wait(app: Flask, mariadb: ThrowawayMariaDB) -> None:
    gate = threading.Barrier(CROWD)

    def read(_: int) -> int:
        gate.wait()
        return app.test_client().get("/order/0").status_code

    with ThreadPoolExecutor(CROWD) as crowd:
        assert list(crowd.map(read, range(CROWD))) == [404] * CROWD
    time.sleep(1.1)  # old enough to be asked whether they still live
    mariadb.freeze()
    try:
        started = time.monotonic()
        assert app.test_client().get("/order/0").status_code == 503
        assert time.monotonic() - started < CROWD, "1 s for one question and not for each, 3 s for the greeting"
    finally:
        mariadb.thaw()
    assert app.test_client().get("/order/0").status_code == 404


def test_reads_survive_lost_connections(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    for _ in range(3):
        assert browser.get("/").status_code == 200
        assert browser.get("/order/0").status_code == 404
        kill_connections(mariadb)


def test_an_order_survives_a_lost_connection_and_is_placed_once(
    browser: Browser, mariadb: ThrowawayMariaDB
) -> None:
    assert browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k1"}).status_code == 201
    kill_connections(mariadb)
    assert browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k2"}).status_code == 201
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 2


def test_a_lost_answer_to_the_commit_does_not_order_twice(
    browser: Browser, mariadb: ThrowawayMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pymysql
    from pymysql.connections import Connection

    commit = Connection.commit
    cut: list[bool] = []

    def commit_then_lose(self: object) -> None:
        commit(self)
        if not cut:
            cut.append(True)
            raise pymysql.OperationalError(2013, "Lost connection to MySQL server during query")

    monkeypatch.setattr(Connection, "commit", commit_then_lose)
    answer = browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k1"})
    assert cut and answer.status_code == 200
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 1
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 99999


def test_a_write_waits_out_a_short_read_only_spell(
    browser: Browser, mariadb: ThrowawayMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shop import db

    # A busy computer may take longer than three seconds to end the spell.
    monkeypatch.setattr(db, "WRITE_BUDGET_S", 60.0)
    mariadb.sql("SET GLOBAL read_only = 1")
    timer = threading.Timer(0.5, mariadb.sql, ["SET GLOBAL read_only = 0"])
    timer.start()
    try:
        answer = browser.client.post("/api/orders", json=MUG | {"idempotency_key": "k1"})
    finally:
        timer.join()
    assert answer.status_code == 201
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 1


def test_a_long_read_only_spell_is_a_503_after_about_3_s(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    mariadb.sql("SET GLOBAL read_only = 1")
    started = time.monotonic()
    try:
        answer = browser.client.post("/api/ledger", json={"id": "a", "value": "1"})
    finally:
        mariadb.sql("SET GLOBAL read_only = 0")
    assert answer.status_code == 503
    assert 2 < time.monotonic() - started < 20
    assert browser.client.get("/api/ledger/a").status_code == 404


@pytest.mark.parametrize("replica", ["down", "without the schema"])
def test_a_useless_replica_is_replaced_by_the_primary(
    app: Flask, mariadb: ThrowawayMariaDB, monkeypatch: pytest.MonkeyPatch, replica: str
) -> None:
    from shop import create_app

    url = mariadb.url.replace(str(mariadb.port), str(free_port()))
    if replica == "without the schema":
        mariadb.sql("CREATE DATABASE IF NOT EXISTS behind; GRANT ALL ON behind.* TO tester@'127.0.0.1'")
        url = mariadb.url.replace("/shop", "/behind")
    monkeypatch.setenv("DATABASE_URL_READONLY", url)
    assert create_app().test_client().get("/api/products").status_code == 200


def test_the_shop_works_without_a_replica(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from shop import create_app

    monkeypatch.delenv("DATABASE_URL_READONLY")
    assert create_app().test_client().get("/api/products").status_code == 200


def test_a_mistake_of_ours_is_a_500_without_details(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    mariadb.sql("DROP TABLE shop.ledger")
    answer = browser.client.get("/api/ledger/a")
    assert answer.status_code == 500 and "ledger" not in answer.text
