"""Forms are accepted only from our own pages.

A random token lives in the visitor's signed cookie and in each form. Another site can make the browser send
the cookie, but cannot read it, so it cannot fill in the form. The JSON API uses no cookie and needs no token;
it accepts only `Content-Type: application/json`, which a foreign form cannot send.
"""

import hmac
import secrets

from flask import Flask, abort, request, session


def token() -> str:
    """The token of this visitor; made on first use."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def require_token() -> None:
    """Refuse (403) every form post without the right token."""
    if request.method != "POST" or request.path.startswith("/api/"):
        return
    sent, expected = request.form.get("csrf", ""), str(session.get("csrf", ""))
    if not expected or not hmac.compare_digest(sent.encode(), expected.encode()):
        abort(403, "This form has expired. Please go back, reload the page and try again.")


def install(app: Flask) -> None:
    app.before_request(require_token)
    app.add_template_global(token, "csrf_token")
