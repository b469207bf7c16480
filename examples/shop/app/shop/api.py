"""The shop for programs: JSON in, JSON out, no cookie.

GET /api/products · POST /api/orders {"items": [{"product_id", "quantity"}], "idempotency_key"} ·
GET /api/orders/<id>. The key may come as an `Idempotency-Key` header instead.
"""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from .catalog import list_products
from .db import database
from .orders import KEY, Buyer, KeyReused, Order, OutOfStock, UnknownProduct, find, place

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.get("/products")
def products() -> Response:
    words = request.args.get("q", "").strip()[:80]
    return jsonify(products=database().read(lambda cursor: list_products(cursor, words)))


@blueprint.post("/orders")
def create() -> tuple[Response, int]:
    body = json_object()
    key = request.headers.get("Idempotency-Key") or body.get("idempotency_key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        abort(400, "idempotency_key (or the header Idempotency-Key) must be 1 to 64 of A-Z a-z 0-9 . _ : -")
    try:
        order, created = place(database(), key=key, quantities=_quantities(body.get("items")), buyer=Buyer())
    except UnknownProduct as problem:
        abort(400, str(problem))
    except OutOfStock as problem:
        return jsonify(error="Out of stock", message=str(problem), product_id=problem.product_id), 409
    except KeyReused:
        abort(422, "this idempotency key was used before, for an order of other items")
    response = jsonify(_shown(order) | {"created": created})
    response.headers["Location"] = f"/api/orders/{order.id}"
    return response, 201 if created else 200


@blueprint.get("/orders/<order_id>")
def show(order_id: str) -> Response:
    order = database().read_fresh(lambda cursor: find(cursor, order_id=order_id))
    if order is None:
        abort(404, "there is no such order")
    return jsonify(_shown(order))


def json_object() -> dict[str, Any]:
    """The request's body, if it is a JSON object sent as JSON; else 400 or 415."""
    body = request.get_json()
    if not isinstance(body, dict):
        abort(400, "the body must be a JSON object")
    return body


def _quantities(items: object) -> dict[int, int]:
    """[{"product_id": 1, "quantity": 2}] -> {1: 2}; 400 for anything else."""
    wanted: dict[int, int] = {}
    for item in items if isinstance(items, list) and len(items) <= 100 else []:
        if not isinstance(item, dict):
            abort(400, "each item must be an object")
        product_id, quantity = _whole(item.get("product_id")), _whole(item.get("quantity", 1))
        wanted[product_id] = wanted.get(product_id, 0) + quantity
    if not wanted:
        abort(400, "items must be a list of 1 to 100 items")
    return wanted


def _whole(number: object) -> int:
    # isinstance would let true and false pass
    if type(number) is not int or not 1 <= number <= 1_000_000:
        abort(400, "product_id and quantity must be whole numbers from 1 to 1000000")
    return number


def _shown(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "total_cents": order.total_cents,
        "created_at": order.created_at,
        "items": [vars(item) for item in order.items],
    }
