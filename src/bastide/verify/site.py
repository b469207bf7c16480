"""Asking for the site as a visitor does, at an address of one's choice.

In: domain, address, root certificate. Out: the answer. Raises OSError, HTTPException.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PATIENCE_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class _At(http.client.HTTPSConnection):
    """A connection to a given address that verifies the domain."""

    def __init__(self, domain: str, address: str, context: ssl.SSLContext) -> None:
        super().__init__(domain, 443, context=context, timeout=_PATIENCE_S)
        self._address, self._tls = address, context

    def connect(self) -> None:
        raw = socket.create_connection((self._address, 443), timeout=self.timeout)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


@cache
def trusting(ca: Path) -> ssl.SSLContext:
    """What the public trusts, and the project's own root. Reading all of that takes longer than a request."""
    context = ssl.create_default_context()
    if ca.exists():
        context.load_verify_locations(cafile=str(ca))
    return context


def visit(
    domain: str, address: str, context: ssl.SSLContext, *, method: str = "GET", path: str = "/",
    headers: Mapping[str, str] | None = None, body: bytes | None = None,
) -> Answer:  # fmt: skip
    """One request on a connection of its own."""
    connection = _At(domain, address, context)
    try:
        connection.request(method, path, body=body, headers={"User-Agent": "bastide-verify", **(headers or {})})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=response.read(1 << 20))
    finally:
        connection.close()


def ask_plainly(domain: str, address: str, path: str) -> list[str]:
    """Status and `Location` of what HTTP without TLS answers."""
    connection = http.client.HTTPConnection(address, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Host": domain, "User-Agent": "bastide-verify"})
        response = connection.getresponse()
        return [str(response.status), response.getheader("Location", "")]
    finally:
        connection.close()
