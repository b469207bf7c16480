"""A place to begin: a page that counts its visits in the database. Replace it by your application.

What your application is given: DATABASE_URL (the current primary) and DATABASE_URL_READONLY (a replica, or the
primary when there is none), both on this host's loopback; the secrets that bastide.yaml names. /static/ is served by
the web servers and never asked here.
"""

import os
import socket
from html import escape
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import pymysql


def connect(variable="DATABASE_URL"):
    """A connection to the database; the platform finds the primary and encrypts the way."""
    url = urlsplit(os.environ[variable])
    return pymysql.connect(
        host=url.hostname,
        port=url.port,
        user=unquote(url.username),
        password=unquote(url.password),
        database=url.path.lstrip("/"),
        autocommit=True,
        connect_timeout=3,
        read_timeout=10,
    )


def app(environ, start_response):
    """The WSGI entry that bastide.yaml names."""
    path = environ["PATH_INFO"]
    try:
        if path == "/healthz":
            return _answer(start_response, HTTPStatus.OK, _health(), "text/plain")
        if path == "/":
            return _answer(start_response, HTTPStatus.OK, _page(environ), "text/html; charset=utf-8")
    except pymysql.MySQLError as error:
        return _answer(start_response, HTTPStatus.SERVICE_UNAVAILABLE, f"database: {error}\n", "text/plain")
    return _answer(start_response, HTTPStatus.NOT_FOUND, "not found\n", "text/plain")


def _health():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok\n"


def _page(environ):
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE visits SET total = total + 1 WHERE id = 1")
        cursor.execute("SELECT total FROM visits WHERE id = 1")
        (total,) = cursor.fetchone()
    visitor = escape(environ.get("HTTP_X_FORWARDED_FOR", "?"))
    return f"""<!doctype html><html lang="en"><title>It runs</title><link rel="stylesheet" href="/static/style.css">
<main><h1>It runs</h1><p>Visit <b>{total}</b>, counted in the database.</p>
<p>You come from {visitor}; {escape(socket.gethostname())} answered.</p>
<p>Put your own application in place of <code>app/</code>, then: <code>bastide apply</code></p></main></html>
"""


def _answer(start_response, status, text, kind):
    body = text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
