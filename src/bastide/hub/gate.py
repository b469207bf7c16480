"""Who asks: the gate that every route of the dashboard goes through.

In: a request. Out: its session; raises Refused without one.
Holds: the admin socket can be opened by root of this host alone, and asks nothing; over nginx a cookie is needed,
and for writing the role, the CSRF word, and an origin that is ours.
"""

from __future__ import annotations

import hmac
import time
from urllib.parse import urlsplit

from starlette.requests import Request

from bastide.hub.auth import COOKIE, Session, Sessions
from bastide.hub.refused import Refused

CSRF = "x-bastide-csrf"
ROOT = Session(id="root", role="operator", expires=float("inf"), csrf="")


class Gate:
    """The gate of one listener."""

    def __init__(self, sessions: Sessions, *, open_to_all: bool) -> None:
        self._sessions = sessions
        self._open = open_to_all

    def session(self, request: Request) -> Session:
        """Who may look."""
        if self._open:
            return ROOT
        session = self._sessions.read(request.cookies.get(COOKIE, ""), time.time())
        if session is None:
            raise Refused(401, "session", "log in: bastide dashboard")
        return session

    def own_write(self, request: Request) -> Session:
        """Whose browser means it: for what concerns the session alone."""
        session = self.session(request)
        if self._open:
            return session
        self.check_origin(request)
        if not hmac.compare_digest(request.headers.get(CSRF, "").encode(), session.csrf.encode()):
            raise Refused(403, "csrf", f"send {CSRF} as /api/session says it")
        return session

    def operator(self, request: Request) -> Session:
        """Who may do something."""
        session = self.own_write(request)
        if session.role != "operator":
            raise Refused(403, "role", "this session may only look: bastide dashboard --operator")
        return session

    def check_origin(self, request: Request) -> None:
        """Browsers say where a page came from; another site's page may not write here."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
            raise Refused(403, "origin", "this request comes from another site's page")
