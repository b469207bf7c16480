"""Orders: placed once, whole, and never for what is not in stock.

In: an idempotency key, chosen by the buyer's form or program, and the wanted quantities. Out: an Order.
Holds: one key, one order, however often and however simultaneously it is sent: the UNIQUE index on
`idempotency_key` decides, not a look beforehand. Order, items and stock change in one transaction or not
at all; stock is taken by an UPDATE that matches only when there is enough.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from .catalog import find_products
from .db import DUPLICATE_KEY, Database
from .pool import error_code

KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class OutOfStock(Exception):
    def __init__(self, product_id: int, name: str) -> None:
        super().__init__(f"there is not enough left of “{name}”")
        self.product_id = product_id


class UnknownProduct(Exception):
    """An item names a product that does not exist."""


class KeyReused(Exception):
    """The same idempotency key was used before, for an order of other things."""


class _Duplicate(Exception):
    """The database already holds an order with this key."""


@dataclass(frozen=True, kw_only=True)
class Buyer:
    name: str = ""
    email: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    product_id: int
    name: str
    price_cents: int
    quantity: int


@dataclass(frozen=True, kw_only=True)
class Order:
    id: str
    """Random, so that one cannot guess one's way to other people's orders."""
    total_cents: int
    created_at: str
    buyer: Buyer
    items: tuple[Item, ...]

    @property
    def quantities(self) -> dict[int, int]:
        return {item.product_id: item.quantity for item in self.items}


def place(db: Database, *, key: str, quantities: Mapping[int, int], buyer: Buyer) -> tuple[Order, bool]:
    """The order, and whether this call created it.

    Raises OutOfStock, UnknownProduct, KeyReused, or db.Unavailable (then send the same key again).
    """
    try:
        order_id = db.write(lambda cursor: _insert(cursor, key, quantities, buyer))
        created = True
    except _Duplicate:
        order_id = None
        created = False
    # Outside the transaction: its snapshot could be older than the order that we collided with.
    order = db.read_fresh(lambda c: find(c, order_id=order_id) if order_id else find(c, key=key))
    assert order is not None, "orders are never deleted"
    if order.quantities != dict(quantities):
        raise KeyReused(key)
    return order, created


def _insert(cursor: Cursor, key: str, quantities: Mapping[int, int], buyer: Buyer) -> str:
    order_id = secrets.token_hex(8)
    try:
        # First of all, so that simultaneous repetitions queue up here, before any stock is touched.
        cursor.execute(
            "INSERT INTO orders (id, idempotency_key, name, email, address, total_cents)"
            " VALUES (%s, %s, %s, %s, %s, 0)",
            (order_id, key, buyer.name, buyer.email, buyer.address),
        )
    except pymysql.IntegrityError as error:
        if error_code(error) == DUPLICATE_KEY:
            raise _Duplicate from error
        raise
    products = find_products(cursor, quantities)
    if unknown := set(quantities) - set(products):
        raise UnknownProduct(f"there is no product {min(unknown)}")
    for product_id, quantity in sorted(quantities.items()):  # one order of locking: no deadlock among ourselves
        taken = cursor.execute(
            "UPDATE products SET stock = stock - %s WHERE id = %s AND stock >= %s",
            (quantity, product_id, quantity),
        )
        if not taken:
            raise OutOfStock(product_id, products[product_id]["name"])
    cursor.executemany(
        "INSERT INTO order_items (order_id, product_id, name, price_cents, quantity) VALUES (%s, %s, %s, %s, %s)",
        [
            (order_id, key_, products[key_]["name"], products[key_]["price_cents"], quantity)
            for key_, quantity in sorted(quantities.items())
        ],
    )
    total = sum(products[key_]["price_cents"] * quantity for key_, quantity in quantities.items())
    cursor.execute("UPDATE orders SET total_cents = %s WHERE id = %s", (total, order_id))
    return order_id


def find(cursor: Cursor, *, order_id: str | None = None, key: str | None = None) -> Order | None:
    """An order by its id or by its idempotency key."""
    column, value = ("id", order_id) if order_id else ("idempotency_key", key)
    cursor.execute(
        f"SELECT id, total_cents, created_at, name, email, address FROM orders WHERE {column} = %s",  # noqa: S608
        (value,),
    )
    row: Any = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(
        "SELECT product_id, name, price_cents, quantity FROM order_items WHERE order_id = %s ORDER BY product_id",
        (row["id"],),
    )
    items: Any = cursor.fetchall()
    return Order(
        id=row["id"],
        total_cents=row["total_cents"],
        created_at=row["created_at"].isoformat(sep=" "),
        buyer=Buyer(name=row["name"], email=row["email"], address=row["address"]),
        items=tuple(Item(**item) for item in items),
    )
