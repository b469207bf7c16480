"""Handing on to Prometheus what was checked.

In: a body, as the host sent it. Out: Prometheus' status and words. Raises Refused when it does not answer.
Holds: connections over loopback are kept, a few of them; one that Prometheus closed meanwhile is replaced once (the
same samples sent twice are the same samples).
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from bastide.hub.refused import Refused

TIMEOUT_S = 20.0
_KEPT = 8
_MAX_WORDS = 64 << 10
_HEAD = (
    "POST /api/v1/write HTTP/1.1\r\nHost: prometheus\r\nContent-Type: application/x-protobuf\r\n"
    "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {size}\r\n\r\n"
)
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Store:
    """Prometheus on this monitor."""

    def __init__(self, base: str) -> None:
        at = urlsplit(base)
        if at.hostname is None or at.port is None:
            raise ValueError(f"no address of a store: {base!r}")
        self._address = (at.hostname, at.port)
        self._idle: list[_Streams] = []

    async def write(self, body: bytes) -> tuple[int, bytes]:
        """Status, and what was said."""
        try:
            return await asyncio.wait_for(self._write(body), TIMEOUT_S)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:  # noqa: UP041 - Python 3.10
            raise Refused(503, "prometheus", f"Prometheus does not take it now: {error}") from None

    async def _write(self, body: bytes) -> tuple[int, bytes]:
        if self._idle:
            with contextlib.suppress(OSError, EOFError, ValueError):
                return await self._ask(self._idle.pop(), body)
        return await self._ask(await asyncio.open_connection(*self._address), body)

    async def _ask(self, streams: _Streams, body: bytes) -> tuple[int, bytes]:
        reader, writer = streams
        try:
            writer.write(_HEAD.format(size=len(body)).encode() + body)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head[9:12])
            size = int(head.partition("\r\ncontent-length:")[2].partition("\r\n")[0] or 0)
            if size > _MAX_WORDS:
                raise ValueError("too long an answer")
            words = await reader.readexactly(size)
        except BaseException:
            writer.close()
            raise
        if "\r\nconnection: close" in head or len(self._idle) >= _KEPT:
            writer.close()
        else:
            self._idle.append(streams)
        return status, words
