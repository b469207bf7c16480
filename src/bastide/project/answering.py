"""Does the address answer? Asked as a client would: by name, over HTTPS, trusting the project's root alone.

In: URL, the edge's address, the root. Out: nothing; raises NoAnswer with the last reason when its time is up.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit


class NoAnswer(Exception):
    """The address did not answer in time. `hint` names the next command."""

    hint = "bastide status shows which service is unhealthy; bastide logs haproxy its log"


class _At(http.client.HTTPSConnection):
    """A connection to a given address that verifies the name of the URL."""

    def __init__(self, name: str, address: str, context: ssl.SSLContext) -> None:
        super().__init__(name, 443, context=context, timeout=5)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        raw = socket.create_connection((self._address, 443), timeout=5)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


def await_answer(url: str, *, address: str, ca: Path, within_s: float = 60.0) -> int:
    """Status of the first answer below 500. Raises NoAnswer."""
    context = ssl.create_default_context(cafile=str(ca))
    parts = urlsplit(url)
    end = time.monotonic() + within_s
    reason = ""
    while True:
        try:
            connection = _At(parts.hostname or "", address, context)
            connection.request("GET", parts.path or "/")
            status = connection.getresponse().status
            connection.close()
            if status < 500:
                return status
            reason = f"it answers {status}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        if time.monotonic() > end:
            raise NoAnswer(f"{url} at {address} did not answer within {within_s:.0f} s: {reason}")
        time.sleep(0.1)
