"""People buy things."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Browser
from flask import Flask
from throwaway_mariadb import ThrowawayMariaDB

BUYER = {"name": "Ada <b>L</b>", "email": "ada@example.org", "address": "1 Engine Row"}


def fill_cart(browser: Browser, product_id: int = 1, quantity: int = 2) -> str:
    """Put something in; the token for further forms."""
    token = browser.hidden("/product/stoneware-mug", "csrf")
    assert browser.post("/cart/add", csrf=token, product_id=product_id, quantity=quantity).status_code == 303
    return token


def test_from_the_shelf_to_the_order(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    assert "Cast iron teapot" in browser.get("/").text
    found = browser.get("/?q=teapot").text
    assert "Cast iron teapot" in found and "Stoneware mug" not in found
    assert "Nothing on the shelves" in browser.get("/?q=100%25").text, "a percent sign is no wildcard"

    token = fill_cart(browser)
    assert "€33.00" in browser.get("/cart").text
    key = browser.hidden("/checkout", "idempotency_key")
    bought = browser.post("/checkout", csrf=token, idempotency_key=key, **BUYER)
    assert bought.status_code == 303
    page = browser.get(bought.headers["Location"]).text
    assert "Stoneware mug" in page and "€33.00" in page
    assert "Ada &lt;b&gt;L&lt;/b&gt;" in page and "<b>L</b>" not in page
    assert "It is empty" in browser.get("/cart").text
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 99998


def test_the_cookie_is_secure_httponly_lax(browser: Browser) -> None:
    cookie = browser.get("/product/stoneware-mug").headers["Set-Cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax"))


def test_pressing_twice_buys_once(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    token = fill_cart(browser)
    key = browser.hidden("/checkout", "idempotency_key")
    first = browser.post("/checkout", csrf=token, idempotency_key=key, **BUYER)
    again = browser.post("/checkout", csrf=token, idempotency_key=key, **BUYER)
    assert first.headers["Location"] == again.headers["Location"]
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 1


@pytest.mark.parametrize("token", ["", "wrong", None])
def test_a_form_without_our_token_is_refused(
    browser: Browser, mariadb: ThrowawayMariaDB, token: str | None
) -> None:
    fill_cart(browser)
    key = browser.hidden("/checkout", "idempotency_key")
    fields = {"idempotency_key": key, **BUYER} | ({} if token is None else {"csrf": token})
    assert browser.post("/checkout", **fields).status_code == 403
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 0


def test_a_token_of_another_visitor_is_refused(app: Flask) -> None:
    foreign = Browser(app).hidden("/product/stoneware-mug", "csrf")
    browser = Browser(app)
    browser.hidden("/product/stoneware-mug", "csrf")
    assert browser.post("/cart/add", csrf=foreign, product_id=1, quantity=1).status_code == 403


def test_an_incomplete_form_says_so_and_keeps_the_key(browser: Browser) -> None:
    token = fill_cart(browser)
    key = browser.hidden("/checkout", "idempotency_key")
    refused = browser.post("/checkout", csrf=token, idempotency_key=key, name="Ada")
    assert refused.status_code == 400 and key in refused.text and "Please fill in" in refused.text


def test_more_than_there_is_cannot_be_bought(browser: Browser, mariadb: ThrowawayMariaDB) -> None:
    token = fill_cart(browser, product_id=11, quantity=6)  # five kettles a year
    key = browser.hidden("/checkout", "idempotency_key")
    refused = browser.post("/checkout", csrf=token, idempotency_key=key, **BUYER)
    assert refused.status_code == 409 and "not enough left" in refused.text
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 11") == 5
    assert mariadb.number("SELECT COUNT(*) FROM shop.orders") == 0


def test_stock_never_goes_below_zero(app: Flask, mariadb: ThrowawayMariaDB) -> None:
    gate = threading.Barrier(12)

    def buy(number: int) -> int:
        gate.wait()
        order = {"items": [{"product_id": 11}, {"product_id": 1}], "idempotency_key": f"rush-{number}"}
        return app.test_client().post("/api/orders", json=order).status_code

    with ThreadPoolExecutor(12) as crowd:
        answers = sorted(crowd.map(buy, range(12)))
    assert answers == [201] * 5 + [409] * 7
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 11") == 0
    assert mariadb.number("SELECT stock FROM shop.products WHERE id = 1") == 99995, "refused orders took nothing"
    assert mariadb.number("SELECT COUNT(*) FROM shop.order_items") == 10


@pytest.mark.parametrize("path", ["/product/none", "/product/té☕", "/order/none", "/order/☕", "/nowhere"])
def test_what_is_not_there_is_404(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 404
