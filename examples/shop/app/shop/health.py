"""Whether this process should get requests, and who it is.

GET /healthz: 200 when the primary answers within about a second, else 503 and why. GET /healthz?live=1: 200
when the process runs; the database is not asked. GET /whoami: which process answered, and what the proxies
told it about the visitor.
"""

import os
import socket

from flask import Blueprint, Response, jsonify, request

from .db import Unavailable, database

blueprint = Blueprint("health", __name__)

TIMEOUT_S = 1.0


@blueprint.get("/healthz")
def healthz() -> tuple[Response, int]:
    if request.args.get("live"):
        return jsonify(status="alive"), 200
    try:
        database().ask(TIMEOUT_S)
    except Unavailable as error:
        return jsonify(status="unavailable", reason=f"database: {error}"), 503
    return jsonify(status="ok"), 200


@blueprint.get("/whoami")
def whoami() -> Response:
    return jsonify(
        host_name=socket.gethostname(),
        pid=os.getpid(),
        remote_address=request.remote_addr,
        scheme=request.scheme,
        host=request.host,
    )
