"""From cart to order, for people. The form carries the idempotency key: pressing twice buys once."""

import secrets

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from . import cart
from .db import database
from .orders import KEY, Buyer, KeyReused, OutOfStock, UnknownProduct, find, place

blueprint = Blueprint("checkout", __name__)


@blueprint.get("/checkout")
def form() -> str | Response:
    if not cart.contents():
        return redirect("/cart", 303)
    return _form(key=secrets.token_hex(16), buyer=Buyer(), problem="")


@blueprint.post("/checkout")
def buy() -> str | Response | tuple[str, int]:
    key = request.form.get("idempotency_key", "")
    if not KEY.fullmatch(key):
        abort(400, "This form is incomplete.")
    # A repetition may arrive when the first answer has already emptied the cart.
    if earlier := database().read_fresh(lambda cursor: find(cursor, key=key)):
        cart.empty()
        return redirect(f"/order/{earlier.id}", 303)
    if not cart.contents():
        return redirect("/cart", 303)
    buyer = Buyer(**{field: request.form.get(field, "").strip()[:200] for field in ("name", "email", "address")})
    if not (buyer.name and "@" in buyer.email and buyer.address):
        return _form(key=key, buyer=buyer, problem="Please fill in your name, e-mail and address."), 400
    try:
        order, _ = place(database(), key=key, quantities=cart.contents(), buyer=buyer)
    except (OutOfStock, UnknownProduct) as problem:
        return _form(key=key, buyer=buyer, problem=f"Sorry, {problem}."), 409
    except KeyReused:
        abort(422, "This form was already used for another order.")
    cart.empty()
    return redirect(f"/order/{order.id}", 303)


@blueprint.get("/order/<order_id>")
def order(order_id: str) -> str:
    # From the primary: the buyer comes straight from the purchase, which a replica may not have seen yet.
    found = database().read_fresh(lambda cursor: find(cursor, order_id=order_id))
    if found is None:
        abort(404, "There is no such order.")
    return render_template("order.html", order=found)


def _form(*, key: str, buyer: Buyer, problem: str) -> str:
    lines, total = cart.lines(cart.contents())
    return render_template("checkout.html", lines=lines, total=total, key=key, buyer=buyer, problem=problem)
