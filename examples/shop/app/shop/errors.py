"""Every failure as a short answer: a page for people, JSON under /api/. Never a traceback.

Also the headers that belong to every page: nothing is cached by others, nothing foreign is loaded.
"""

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from .db import Unavailable

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"


def answer(status: int, title: str, text: str) -> Response:
    if request.path.startswith("/api/"):
        response = jsonify(error=title, message=text)
    else:
        response = make_response(render_template("error.html", title=title, text=text))
    response.status_code = status
    return response


def on_unavailable(error: Unavailable) -> Response:
    response = answer(
        503, "We will be right back", "The shop is catching its breath. Please try again in a moment."
    )
    response.headers["Retry-After"] = "1"
    return response


def on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return make_response(error.get_response())
    response = answer(status, error.name, error.description or "")
    if status == 405 and (allow := error.get_response().headers.get("Allow")):
        response.headers["Allow"] = allow
    return response


def add_headers(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response


def install(app: Flask) -> None:
    app.register_error_handler(Unavailable, on_unavailable)
    app.register_error_handler(HTTPException, on_http_error)
    app.after_request(add_headers)
