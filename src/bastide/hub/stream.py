"""The live stream: one event a second for everybody who watches (server-sent events, HTML standard 9.2).

In: the hub's state and what happened. Out: `id`, `event: state`, `data`; a reader who comes back with
`Last-Event-ID` gets the events that it missed.
Holds: the state is written as text once a second, whoever many watch; a watcher too many is refused, and one whose
session ended is let go.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bastide.hub.core import Hub
from bastide.hub.gate import Gate
from bastide.hub.refused import Refused
from bastide.hub.state import compact_state

MAX_STREAMS = 64
BEAT_S = 5.0


def stream_routes(hub: Hub, gate: Gate) -> list[Route]:
    """`GET /api/stream`."""
    compact = _Compact(hub)

    async def stream(request: Request) -> Response:
        gate.session(request)
        if hub.streams >= MAX_STREAMS:
            raise Refused(503, "streams", f"at most {MAX_STREAMS} watch at a time")
        mark = request.headers.get("last-event-id") or request.query_params.get("after") or hub.happenings.mark
        return StreamingResponse(
            _events(hub, gate, request, compact, mark),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return [Route("/api/stream", stream)]


async def _events(hub: Hub, gate: Gate, request: Request, compact: _Compact, mark: str) -> AsyncIterator[str]:
    hub.streams += 1
    try:
        yield "retry: 2000\n\n"
        seen = -1
        while not hub.closing:
            if hub.ticks != seen:
                seen = hub.ticks
                try:
                    gate.session(request)
                except Refused:
                    return
                events, mark = hub.happenings.since(mark), hub.happenings.mark
                happened = f',"events":{json.dumps(events)}' if events else ""
                yield f"id: {mark}\nevent: state\ndata: {compact.text()[:-1]}{happened}}}\n\n"
            elif not await _tick(hub, seen):
                yield ": still here\n\n"
    finally:
        hub.streams -= 1


async def _tick(hub: Hub, seen: int) -> bool:
    """Wait for the next tick; False when it is late."""

    async def wait() -> None:
        async with hub.ticked:
            await hub.ticked.wait_for(lambda: hub.ticks != seen or hub.closing)

    try:
        await asyncio.wait_for(wait(), BEAT_S)
    except asyncio.TimeoutError:  # noqa: UP041 - Python 3.10 tells them apart
        return False
    return True


class _Compact:
    """The state as text, without what does not change."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._of: Any = None
        self._text = "{}"

    def text(self) -> str:
        """A JSON object of the current state."""
        if self._of is not self._hub.state:
            self._of = self._hub.state
            self._text = json.dumps(compact_state(self._of), separators=(",", ":"))
        return self._text
