"""What is for sale: the list, the search and a page for each product. Read from a replica."""

from collections.abc import Collection
from typing import Any

from flask import Blueprint, abort, render_template, request
from pymysql.cursors import Cursor

from .db import database

blueprint = Blueprint("catalog", __name__)

Product = dict[str, Any]
COLUMNS = "id, slug, name, description, icon, price_cents, stock"


def list_products(cursor: Cursor, words: str = "") -> list[Product]:
    """All products, or those whose name or description contains `words`."""
    pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    cursor.execute(
        f"SELECT {COLUMNS} FROM products WHERE name LIKE %s OR description LIKE %s ORDER BY id",  # noqa: S608
        (pattern, pattern),
    )
    return [dict(row) for row in cursor.fetchall()]


def find_product(cursor: Cursor, slug: str) -> Product | None:
    cursor.execute(f"SELECT {COLUMNS} FROM products WHERE slug = %s", (slug,))  # noqa: S608
    row: Product | None = cursor.fetchone()
    return row


def find_products(cursor: Cursor, ids: Collection[int]) -> dict[int, Product]:
    """The products with these ids, by id; unknown ids are simply absent."""
    if not ids:
        return {}
    marks = ", ".join(["%s"] * len(ids))
    cursor.execute(f"SELECT {COLUMNS} FROM products WHERE id IN ({marks})", tuple(ids))  # noqa: S608
    rows: Any = cursor.fetchall()
    return {row["id"]: row for row in rows}


@blueprint.app_template_filter("euros")
def euros(cents: int) -> str:
    """1250 -> '€12.50'"""
    return f"€{cents // 100:,}.{cents % 100:02d}"


@blueprint.get("/")
def index() -> str:
    words = request.args.get("q", "").strip()[:80]
    products = database().read(lambda cursor: list_products(cursor, words))
    return render_template("products.html", products=products, words=words)


@blueprint.get("/product/<slug>")
def product(slug: str) -> str:
    found = database().read(lambda cursor: find_product(cursor, slug))
    if found is None:
        abort(404, "We do not sell that. Not yet.")
    return render_template("product.html", product=found)
