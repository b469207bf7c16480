"""The application is called as an ASGI server calls it."""

import asyncio
import json
from typing import Any

import pytest
from main import app


def call(scope: dict[str, Any], *messages: str) -> list[dict[str, Any]]:
    """Everything that the application sends."""
    sent: list[dict[str, Any]] = []
    incoming = iter(messages)

    async def receive() -> dict[str, Any]:
        return {"type": next(incoming)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def get(
    path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, dict[bytes, bytes], bytes]:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": list(headers),
        "client": ("192.0.2.1", 5),
    }
    start, body = call(scope)
    return start["status"], dict(start["headers"]), body["body"]


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/healthz", 200), ("/1k", 200), ("/nowhere", 404)])
def test_answers(path: str, status: int) -> None:
    got, headers, body = get(path)
    assert got == status and int(headers[b"content-length"]) == len(body)


def test_one_kilobyte_is_1024_bytes() -> None:
    assert len(get("/1k")[2]) == 1024
    assert get("/1k", method="HEAD")[2] == b""


def test_only_reading_is_allowed() -> None:
    assert get("/", method="POST")[0] == 405


def test_whoami_believes_the_last_proxy_only() -> None:
    forwarded = ((b"x-forwarded-for", b"198.51.100.9, 203.0.113.7"), (b"x-forwarded-proto", b"https"))
    seen = json.loads(get("/whoami", headers=forwarded)[2])
    assert (seen["remote_address"], seen["scheme"]) == ("203.0.113.7", "https")
    assert json.loads(get("/whoami")[2])["remote_address"] == "192.0.2.1"


def test_it_starts_and_stops() -> None:
    sent = call({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
