"""A ledger for load and failure tests: what was acknowledged can be asked for again, row by row.

POST /api/ledger {"id", "value"}: 201 written now · 200 was there already · 409 there with another value.
GET /api/ledger/<id> · GET /api/ledger?after=<id>&limit=<n>: ordered by id; `next` is the next page's `after`.
Everything is read from the primary: a test wants the truth, not a replica's memory of it.
"""

from typing import Any

import pymysql
from flask import Blueprint, Response, abort, jsonify, request
from pymysql.cursors import Cursor

from .api import json_object
from .db import DUPLICATE_KEY, database
from .orders import KEY
from .pool import error_code

blueprint = Blueprint("ledger", __name__, url_prefix="/api/ledger")

MAX_PAGE = 1000


@blueprint.post("")
def write() -> tuple[Response, int]:
    body = json_object()
    entry_id, value = body.get("id"), body.get("value")
    if not isinstance(entry_id, str) or not KEY.fullmatch(entry_id):
        abort(400, "id must be 1 to 64 of A-Z a-z 0-9 . _ : -")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > 255:
        abort(400, "value must be a string of at most 255 characters, or a whole number")
    created = database().write(lambda cursor: _insert(cursor, entry_id, value))
    if not created:
        stored = database().read_fresh(lambda cursor: _find(cursor, entry_id))
        if stored is None or stored["value"] != value:
            abort(409, "this id is in the ledger with another value")
    return jsonify(id=entry_id, value=value, created=created), 201 if created else 200


@blueprint.get("/<entry_id>")
def show(entry_id: str) -> Response:
    entry = database().read_fresh(lambda cursor: _find(cursor, entry_id))
    if entry is None:
        abort(404, "this id is not in the ledger")
    return jsonify(entry)


@blueprint.get("")
def page() -> Response:
    after = request.args.get("after", "")
    limit = max(1, min(request.args.get("limit", MAX_PAGE, type=int), MAX_PAGE))
    entries = database().read_fresh(lambda cursor: _page(cursor, after, limit))
    return jsonify(entries=entries, next=entries[-1]["id"] if len(entries) == limit else None)


def _insert(cursor: Cursor, entry_id: str, value: str) -> bool:
    try:
        cursor.execute("INSERT INTO ledger (id, value) VALUES (%s, %s)", (entry_id, value))
    except pymysql.IntegrityError as error:
        if error_code(error) != DUPLICATE_KEY:
            raise
        return False
    return True


def _find(cursor: Cursor, entry_id: str) -> dict[str, Any] | None:
    cursor.execute("SELECT id, value FROM ledger WHERE id = %s", (entry_id,))
    row: dict[str, Any] | None = cursor.fetchone()
    return row


def _page(cursor: Cursor, after: str, limit: int) -> list[dict[str, Any]]:
    cursor.execute("SELECT id, value FROM ledger WHERE id > %s ORDER BY id LIMIT %s", (after, limit))
    return [dict(row) for row in cursor.fetchall()]
