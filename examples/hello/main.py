"""The smallest useful ASGI application: `main:app`. Standard library only."""

import json
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

ONE_KILOBYTE = b"0123456789abcdef" * 64


def answer(scope: Scope) -> tuple[int, str, bytes]:
    """Status, content type and body for a request."""
    match scope["path"]:
        case "/":
            return 200, "text/plain; charset=utf-8", f"Hello from {socket.gethostname()}.\n".encode()
        case "/healthz":
            return 200, "application/json", b'{"status": "ok"}\n'
        case "/whoami":
            return 200, "application/json", json.dumps(whoami(scope)).encode() + b"\n"
        case "/1k":
            return 200, "application/octet-stream", ONE_KILOBYTE
        case _:
            return 404, "text/plain; charset=utf-8", b"There is nothing here.\n"


def whoami(scope: Scope) -> dict[str, Any]:
    """Which process answered, and what the one trusted proxy in front says about the visitor."""
    headers: dict[str, str] = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}

    def forwarded(what: str) -> str:
        return headers.get(f"x-forwarded-{what}", "").rpartition(",")[2].strip()

    client = scope.get("client") or ("",)
    return {
        "host_name": socket.gethostname(),
        "pid": os.getpid(),
        "remote_address": forwarded("for") or client[0],
        "scheme": forwarded("proto") or scope.get("scheme", "http"),
        "host": forwarded("host") or headers.get("host", ""),
    }


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["type"] != "http":
        raise ValueError(f"this application does not speak {scope['type']}")
    if scope["method"] in ("GET", "HEAD"):
        status, kind, body = answer(scope)
        headers = []
    else:
        status, kind, body = 405, "text/plain; charset=utf-8", b"Only GET and HEAD.\n"
        headers = [(b"allow", b"GET, HEAD")]
    headers += [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def lifespan(receive: Receive, send: Send) -> None:
    """Say that we have started and stopped; there is nothing to prepare."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
