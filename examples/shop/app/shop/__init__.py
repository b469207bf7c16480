"""A small shop. WSGI entry: `shop:app`.

In: DATABASE_URL, DATABASE_URL_READONLY (optional) and SECRET_KEY from the environment.
Holds: no state in the process that another worker on another host would miss; everything that must last
is in the database, everything about a visitor is in a signed cookie.
"""

import os

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import api, cart, catalog, checkout, csrf, errors, health, ledger
from .db import Database


def create_app() -> Flask:
    """The WSGI application. Raises KeyError when a needed environment variable is missing: better not to
    start than to sign cookies with a key that the other host does not know."""
    # Static files are the web server's work. STATIC_FOLDER lets `flask run` serve them on a laptop.
    app = Flask(__name__, static_folder=os.environ.get("STATIC_FOLDER"), static_url_path="/static")
    app.config.update(
        SECRET_KEY=os.environ["SECRET_KEY"],
        SESSION_COOKIE_NAME="shop",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.extensions["database"] = Database(
        primary=os.environ["DATABASE_URL"], replica=os.environ.get("DATABASE_URL_READONLY")
    )
    csrf.install(app)
    errors.install(app)
    for part in (catalog, cart, checkout, api, ledger, health):
        app.register_blueprint(part.blueprint)
    # One proxy in front of us is trusted, and only its own last word on each header.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    return app


app = create_app()
