"""The visitor's cart: product ids and quantities in the signed session cookie; prices from the database."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session
from werkzeug.wrappers import Response

from .catalog import Product, find_products
from .db import database

blueprint = Blueprint("cart", __name__)

MAX_QUANTITY = 20
MAX_LINES = 30  # the cookie has to stay small


def contents() -> dict[int, int]:
    """Quantity by product id."""
    stored: dict[str, int] = session.get("cart", {})
    return {int(product_id): quantity for product_id, quantity in stored.items()}


def put(product_id: int, quantity: int) -> None:
    """Set the quantity of one product; 0 takes it out."""
    cart = contents()
    cart[product_id] = min(quantity, MAX_QUANTITY)
    if quantity <= 0:
        del cart[product_id]
    if len(cart) > MAX_LINES:
        abort(400, "The cart is full.")
    session["cart"] = {str(key): value for key, value in cart.items()}


def empty() -> None:
    session.pop("cart", None)


def lines(cart: dict[int, int]) -> tuple[list[dict[str, Any]], int]:
    """The cart as lines to show, and its total in cents. Products that no longer exist are left out."""
    products: dict[int, Product] = database().read(lambda cursor: find_products(cursor, cart))
    shown = [
        products[key] | {"quantity": quantity, "cents": products[key]["price_cents"] * quantity}
        for key, quantity in cart.items()
        if key in products
    ]
    return shown, sum(line["cents"] for line in shown)


@blueprint.app_template_global("cart_count")
def cart_count() -> int:
    return sum(contents().values())


@blueprint.get("/cart")
def show() -> str:
    shown, total = lines(contents())
    return render_template("cart.html", lines=shown, total=total)


@blueprint.post("/cart/add")
def add() -> Response:
    product_id = request.form.get("product_id", 0, type=int)
    quantity = request.form.get("quantity", 1, type=int)
    if quantity < 1 or not database().read(lambda cursor: find_products(cursor, [product_id])):
        abort(400, "That cannot be put into the cart.")
    put(product_id, contents().get(product_id, 0) + quantity)
    return redirect("/cart", 303)


@blueprint.post("/cart/update")
def update() -> Response:
    product_id = request.form.get("product_id", 0, type=int)
    if product_id in contents():
        put(product_id, request.form.get("quantity", 0, type=int))
    return redirect("/cart", 303)
