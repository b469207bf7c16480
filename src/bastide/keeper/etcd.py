"""The register: one key in etcd, read and changed over its JSON gateway, by mutual TLS.

In: RegisterSettings. Out: the seat with its revision, compare-and-swap, and a stream of changes.
Holds: a write whose answer did not come is `unknown`, never repeated here: it may still arrive. Only a connection
that could not be made is tried at the next member, for nothing was sent then.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from bastide.keeper.seat import Seat, format_seat, parse_seat
from bastide.keeper.settings import RegisterSettings

KEY = "bastide/database/seat"
TIMEOUT_S = 0.8
CONNECT_S = 0.4
WATCH_S = 20.0
"""A stream that is silent for longer is opened anew; a holder renews twice a second."""
_LARGEST = 1 << 20


class RegisterSilent(Exception):
    """No member gave an answer."""


class RegisterForeign(Exception):
    """The key holds something that no keeper wrote."""


class Register:
    """A connection that is kept, to the nearest member that answers."""

    def __init__(self, settings: RegisterSettings) -> None:
        self._settings = settings
        self._tls = ssl.create_default_context(cafile=settings.ca)
        self._tls.load_cert_chain(settings.certificate, settings.key)
        self._lock = threading.Lock()
        self._at = 0
        self._connection: http.client.HTTPSConnection | None = None

    def read(self) -> tuple[Seat | None, int]:
        """The seat and its revision; (None, 0) where there is none. Agreed by most members. Raises RegisterSilent."""
        answer = self._call("/v3/kv/range", {"key": _encode(KEY)})
        return _found(answer.get("kvs", []))

    def write(self, seat: Seat, guard: int) -> tuple[Literal["written", "refused", "unknown"], int]:
        """Compare and swap; `guard`: the revision that was seen. The new revision where it was written."""
        try:
            answer = self._call(
                "/v3/kv/txn",
                {
                    "compare": [
                        {"key": _encode(KEY), "target": "MOD", "result": "EQUAL", "mod_revision": str(guard)}
                    ],
                    "success": [{"request_put": {"key": _encode(KEY), "value": _encode(format_seat(seat))}}],
                },
            )
        except RegisterSilent:
            return "unknown", 0
        return ("written", int(answer["header"]["revision"])) if answer.get("succeeded") else ("refused", 0)

    def watch(self) -> Iterator[tuple[Seat | None, int]]:
        """Changes as they come, until the stream breaks. Raises RegisterSilent when it cannot be opened."""
        connection = self._open(WATCH_S)
        try:
            body = json.dumps({"create_request": {"key": _encode(KEY)}})
            connection.request("POST", "/v3/watch", body)
            response = connection.getresponse()
            while line := response.readline(_LARGEST):
                for event in json.loads(line).get("result", {}).get("events", []):
                    yield _found([event["kv"]] if event.get("type", "PUT") == "PUT" else [])
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return
        finally:
            connection.close()

    def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            connection = self._connection or self._open(TIMEOUT_S)
            self._connection = None
            try:
                connection.request("POST", path, json.dumps(body))
                response = connection.getresponse()
                plain = json.loads(response.read(_LARGEST))
                if response.status != 200 or not isinstance(plain, dict):
                    raise ValueError(f"status {response.status}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                self._at += 1
                raise RegisterSilent(f"{path}: {error}") from error
            self._connection = connection
            return plain

    def _open(self, timeout_s: float) -> http.client.HTTPSConnection:
        """The next member that accepts a connection."""
        reason: OSError | None = None
        for _ in self._settings.members:
            member = self._settings.members[self._at % len(self._settings.members)]
            try:
                plain = socket.create_connection((member.address, member.port), CONNECT_S)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = http.client.HTTPSConnection(member.name, member.port)
                connection.sock = self._tls.wrap_socket(plain, server_hostname=member.name)
                connection.sock.settimeout(timeout_s)
                return connection
            except OSError as error:
                reason = error
                self._at += 1
        raise RegisterSilent(f"no member answers: {reason}")


def _found(kvs: list[Mapping[str, Any]]) -> tuple[Seat | None, int]:
    if not kvs:
        return None, 0
    try:
        return parse_seat(base64.b64decode(kvs[0]["value"]).decode()), int(kvs[0]["mod_revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise RegisterForeign(f"etcd's key {KEY} holds something that no keeper wrote: {error}") from error


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
