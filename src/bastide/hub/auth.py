"""Who may look, and who may do.

In: one-time tokens that root of this host asked for; cookies. Out: sessions.
Holds: a token opens one session within five minutes and is kept as its hash; a session is signed with a key that
never leaves this host; writing needs the role `operator` and the session's own CSRF word beside the cookie.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Role = Literal["viewer", "operator"]
TOKEN_S = 300.0
SESSION_S = 12 * 3600.0
COOKIE = "__Host-bastide"
"""The prefix makes browsers insist on Secure, Path=/ and no Domain."""
MAX_TOKENS = 100
_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Somebody who logged in."""

    id: str
    role: Role
    expires: float
    csrf: str


class Logins:
    """One-time tokens, in memory: a restart makes them void."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[float, Role]] = {}

    def create(self, role: Role, now: float) -> str:
        """A new token."""
        self._waiting = {h: (until, r) for h, (until, r) in self._waiting.items() if until > now}
        while len(self._waiting) >= MAX_TOKENS:
            self._waiting.pop(next(iter(self._waiting)))
        token = secrets.token_urlsafe(24)
        self._waiting[_hash(token)] = (now + TOKEN_S, role)
        return token

    def redeem(self, token: str, now: float) -> Role | None:
        """The role that it opens; None for one that never was, was used, or is too old."""
        # Looked up by hash: how long that takes tells nothing about the token.
        until, role = self._waiting.pop(_hash(token), (0.0, None))
        return role if until > now else None


class Sessions:
    """Cookies, made and read."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ended: dict[str, float] = {}

    def open(self, role: Role, now: float) -> tuple[Session, str]:
        """A session and its cookie's value."""
        session = Session(
            id=secrets.token_urlsafe(12), role=role, expires=now + SESSION_S, csrf=secrets.token_urlsafe(18)
        )
        plain = json.dumps([session.id, session.role, session.expires, session.csrf]).encode()
        payload = base64.urlsafe_b64encode(plain).decode()
        return session, f"{payload}.{self._sign(payload)}"

    def read(self, cookie: str, now: float) -> Session | None:
        """The session of a cookie; None unless we made it and it still counts."""
        payload, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(payload).encode()):
            return None
        try:
            identifier, role, expires, csrf = json.loads(base64.urlsafe_b64decode(payload))
        except (ValueError, binascii.Error):
            return None
        if now >= expires or identifier in self._ended:
            return None
        return Session(id=identifier, role=cast("Role", role), expires=expires, csrf=csrf)

    def end(self, session: Session, now: float) -> None:
        """Log out: the cookie counts no more, until it would have expired anyway."""
        self._ended = {i: until for i, until in self._ended.items() if until > now}
        self._ended[session.id] = session.expires

    def _sign(self, payload: str) -> str:
        return hmac.new(self._key, payload.encode(), hashlib.sha256).hexdigest()


def load_key(path: Path) -> bytes:
    """This host's own signing key; made when there is none. Removing the file ends all sessions."""
    if not path.exists():
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path} is damaged; remove it")
    return key


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
