"""What root of this host asks the running hub, over its admin socket.

In: a verb and parameters. Out: JSON lines on stdout. With the reason on stderr: exit status 1 when the hub does not
answer, 3 when it refuses.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

TIMEOUT_S = 20.0


REFUSED = 3


class AskFailed(Exception):
    """The hub did not answer (`status` 1), or refused (3)."""

    def __init__(self, message: str, status: int = 1) -> None:
        self.status = status
        super().__init__(message)


def ask(path: str, what: str, *, body: object = None) -> Any:
    """One question, one JSON answer. Raises AskFailed."""
    connection = _Connection(path)
    try:
        if body is None:
            connection.request("GET", what)
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", what, body=json.dumps(body).encode(), headers=headers)
        response = connection.getresponse()
        plain = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AskFailed(f"the hub does not answer at {path}: {error}") from None
    finally:
        connection.close()
    if response.status != 200:
        status = REFUSED if 400 <= response.status < 500 else 1
        raise AskFailed(str(plain.get("message", response.status)), status)
    return plain


def main_ask(socket_path: str, verb: str, words: Sequence[str]) -> int:
    """`state [SECONDS]`, `token [viewer|operator]`, `logs PARAMETERS-AS-JSON`."""
    try:
        if verb == "state":
            count = int(words[0]) if words else 1
            for turn in range(count):
                print(json.dumps(ask(socket_path, "/api/state")), flush=True)
                if turn < count - 1:
                    time.sleep(1.0)
        elif verb == "token":
            print(json.dumps(ask(socket_path, "/token", body={"role": words[0] if words else "viewer"})))
        elif verb == "ready":
            print(ask(socket_path, "/api/state")["verdict"]["text"])
        else:
            print(json.dumps(ask(socket_path, f"/api/{verb}?{urlencode(json.loads(words[0] if words else '{}'))}")))
    except AskFailed as error:
        print(f"hub: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:
        return 0  # whoever watched has gone
    return 0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("hub", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
