"""How controller and host talk: messages over stdin and stdout of one SSH command.

A message is one line of JSON, then as many raw bytes as its `"body"` says (none without it). Both sides use this
module, so it must run on the oldest Python that a host may have.
In: binary streams. Out: messages. Holds: a message is read whole or not at all; its size is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

CHUNK = 1 << 20
"""Largest body: longer contents travel as several messages, so memory stays bounded."""
_MAX_HEADER = 32 << 20


class WireError(Exception):
    """What arrived is not a message of ours."""


def write_message(stream: IO[bytes], header: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    if len(body) > CHUNK:
        raise WireError(f"a body of {len(body)} bytes is too long")
    fields = {**header, "body": len(body)} if body else dict(header)
    stream.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n" + body)
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Receive one message; None when the other side has closed. Raises WireError."""
    line = stream.readline(_MAX_HEADER)
    if not line:
        return None
    try:
        header = json.loads(line)
    except ValueError:
        raise WireError(f"not a message: {line[:200]!r}") from None
    if not line.endswith(b"\n") or not isinstance(header, dict):
        raise WireError(f"not a message: {line[:200]!r}")
    length = header.pop("body", 0)
    if not isinstance(length, int) or not 0 <= length <= CHUNK:
        raise WireError(f"impossible length of a body: {length!r}")
    body = stream.read(length) if length else b""
    if len(body) != length:
        raise WireError(f"the other side closed after {len(body)} of {length} bytes")
    return header, body
