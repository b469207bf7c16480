"""Programs buy things, and say so twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from throwaway_mariadb import ThrowawayMariaDB

ONE_MUG = [{"product_id": 1, "quantity": 1}]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_products(client: FlaskClient) -> None:
    answer = client.get("/api/products").get_json()
    assert len(answer["products"]) == 12
    assert answer["products"][0]["price_cents"] == 1650


def test_an_order_sent_again_is_the_same_order(client: FlaskClient, mariadb: ThrowawayMariaDB) -> None:
    first = client.post("/api/orders", json={"items": ONE_MUG, "idempotency_key": "k1"})
    again = client.post("/api/orders", json={"items": ONE_MUG}, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json()["id"] == again.get_json()["id"]
    assert client.get(first.headers["Location"]).get_json()["total_cents"] == 1650
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 99999


def test_simultaneous_duplicates_make_one_order(app: Flask, mariadb: ThrowawayMariaDB) -> None:
    gate = threading.Barrier(10)

    def send(_: int) -> tuple[int, str]:
        gate.wait()
        answer = app.test_client().post("/api/orders", json={"items": ONE_MUG, "idempotency_key": "same"})
        return answer.status_code, answer.get_json()["id"]

    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(send, range(10)))
    assert sorted(status for status, _ in answers) == [200] * 9 + [201]
    assert len({order_id for _, order_id in answers}) == 1
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 1
    assert mariadb.number("SELECT COUNT(*) FROM shop.order_items") == 1
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 99999


def test_a_key_cannot_be_used_for_another_order(client: FlaskClient) -> None:
    client.post("/api/orders", json={"items": ONE_MUG, "idempotency_key": "k1"})
    other = client.post("/api/orders", json={"items": [{"product_id": 2}], "idempotency_key": "k1"})
    assert other.status_code == 422


def test_sold_out_is_409_and_leaves_no_order(client: FlaskClient, mariadb: ThrowawayMariaDB) -> None:
    wanted = [{"product_id": 1}, {"product_id": 12}]
    answer = client.post("/api/orders", json={"items": wanted, "idempotency_key": "k1"})
    assert (answer.status_code, answer.get_json()["product_id"]) == (409, 12)
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 0
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 100000


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"items": ONE_MUG},
        {"items": ONE_MUG, "idempotency_key": ""},
        {"items": ONE_MUG, "idempotency_key": "☕"},
        {"items": ONE_MUG, "idempotency_key": "x" * 65},
        {"items": [], "idempotency_key": "k"},
        {"items": "mug", "idempotency_key": "k"},
        {"items": ["mug"], "idempotency_key": "k"},
        {"items": [{"product_id": 1, "quantity": -1}], "idempotency_key": "k"},
        {"items": [{"product_id": 1, "quantity": 0}], "idempotency_key": "k"},
        {"items": [{"product_id": 1, "quantity": 1.5}], "idempotency_key": "k"},
        {"items": [{"product_id": True}], "idempotency_key": "k"},
        {"items": [{"product_id": 99}], "idempotency_key": "k"},
    ],
)
def test_nonsense_is_400(client: FlaskClient, mariadb: ThrowawayMariaDB, body: Any) -> None:
    answer = client.post("/api/orders", json=body)
    assert answer.status_code == 400 and answer.get_json()["message"]
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 0


def test_a_foreign_form_cannot_post_json(client: FlaskClient) -> None:
    body = '{"items": [{"product_id": 1}], "idempotency_key": "k"}'
    assert client.post("/api/orders", data=body, content_type="text/plain").status_code == 415


def test_the_ledger_takes_an_entry_once(client: FlaskClient) -> None:
    first = client.post("/api/ledger", json={"id": "a", "value": 7})
    again = client.post("/api/ledger", json={"id": "a", "value": "7"})
    other = client.post("/api/ledger", json={"id": "a", "value": "8"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert client.get("/api/ledger/a").get_json() == {"id": "a", "value": "7"}
    assert client.get("/api/ledger/A").status_code == 404
    assert client.get("/api/ledger/☕").status_code == 404


def test_the_ledger_is_read_page_by_page(client: FlaskClient) -> None:
    for number in range(5):
        client.post("/api/ledger", json={"id": f"e{number}", "value": ""})
    seen, after, pages = [], "", 0
    while after is not None:
        page = client.get(f"/api/ledger?limit=2&after={after}").get_json()
        seen += [entry["id"] for entry in page["entries"]]
        after = page["next"]
        pages += 1
    assert seen == ["e0", "e1", "e2", "e3", "e4"] and pages == 3
