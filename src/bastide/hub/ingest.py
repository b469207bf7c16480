"""What hosts and programs send.

In: requests that nginx let through, each with who sent it. Out: acknowledgements.
Holds: `X-Bastide-Peer` is nginx's word for the certificate that was shown (it deletes any other); a peer speaks
for itself alone; what is acknowledged is on disk.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bastide.hub.core import Hub
from bastide.hub.frames import MAX_BYTES, parse_frame
from bastide.hub.otlp import parse_otlp_logs, parse_otlp_metrics
from bastide.hub.push import MAX_BYTES as MAX_PUSH
from bastide.hub.push import parse_events, parse_metrics, pusher
from bastide.hub.records import MAX_PACKED, parse_records, unpack
from bastide.hub.refused import Refused
from bastide.hub.remote_write import MAX_PACKED as MAX_WRITTEN
from bastide.hub.remote_write import Checked

PEER = "x-bastide-peer"
BODY_S = 20.0
_SMALL = 64 << 10


def ingest_routes(hub: Hub) -> list[Route]:
    """For agents: logs and events; for vmagents: series."""

    async def records(request: Request) -> JSONResponse:
        peer = _peer(hub, request)
        async with hub.storing:
            body = await read_body(request, MAX_PACKED)
            batch = await asyncio.to_thread(lambda: parse_records(unpack(body), host=peer))
            stored = await hub.store(peer, batch.records)
        hub.refused["record"] += batch.refused
        # A line that nobody can read is acknowledged too, or it would be sent for ever.
        return JSONResponse({"ack": max(stored, batch.highest), "refused": batch.refused})

    checked = {name: Checked(name) for name in hub.settings.hosts}

    async def series(request: Request) -> Response:
        peer = _peer(hub, request)
        async with hub.writing:
            body = await read_body(request, MAX_WRITTEN)
            # A small one costs less than the thread that would spare the others the wait.
            count = (
                checked[peer].check(body)
                if len(body) < _SMALL
                else await asyncio.to_thread(checked[peer].check, body)
            )
            status, words = await hub.metrics.write(body)
        hub.counts["series" if status < 300 else "series_refused"] += count
        return Response(words, status_code=status)

    return [
        Route("/hub/v1/series", series, methods=["POST"]),
        Route("/hub/v1/records", records, methods=["POST"]),
    ]


async def take_frame(hub: Hub, request: Request) -> bytes:
    """A live frame; the answer's body. Raises Refused.

    Not a route: every host sends one each second, and a router with its layers costs more than the frame itself.
    """
    peer, now = _peer(hub, request), time.time()
    if not hub.frame_limit.take(peer, now):
        raise Refused(429, "rate", "one frame a second")
    frame = parse_frame(await read_body(request, MAX_BYTES), peer=peer, now=now)
    hub.counts["frames" if hub.live.take(frame, now) else "frames_late"] += 1
    return b'{"ack":%d}' % frame.seq


def push_routes(hub: Hub) -> list[Route]:
    """For programs elsewhere, with a bearer token."""

    async def metrics(request: Request) -> JSONResponse:
        owner, plain = await _pushed(hub, request)
        samples = parse_metrics(plain)
        hub.pushed.take(owner, samples, time.time())
        return JSONResponse({"accepted": len(samples)})

    async def events(request: Request) -> JSONResponse:
        owner, plain = await _pushed(hub, request)
        async with hub.storing:
            records = parse_events(plain, owner=owner, now=time.time())
            await hub.store_unnumbered(pusher(owner), records)
        return JSONResponse({"accepted": len(records)})

    async def otlp_metrics(request: Request) -> JSONResponse:
        owner, plain = await _pushed(hub, request)
        samples, refused, why = parse_otlp_metrics(plain)
        hub.pushed.take(owner, samples, time.time())
        return JSONResponse(
            {"partialSuccess": {"rejectedDataPoints": refused, "errorMessage": why} if refused else {}}
        )

    async def otlp_logs(request: Request) -> JSONResponse:
        owner, plain = await _pushed(hub, request)
        async with hub.storing:
            records, refused = parse_otlp_logs(plain, owner=owner, now=time.time())
            await hub.store_unnumbered(pusher(owner), records)
        return JSONResponse({"partialSuccess": {"rejectedLogRecords": refused} if refused else {}})

    return [
        Route("/push/v1/metrics", metrics, methods=["POST"]),
        Route("/push/v1/events", events, methods=["POST"]),
        Route("/push/otlp/v1/metrics", otlp_metrics, methods=["POST"]),
        Route("/push/otlp/v1/logs", otlp_logs, methods=["POST"]),
    ]


async def read_body(request: Request, most: int) -> bytes:
    """The body. Raises Refused when it is too large or too slow."""

    parts, size = [], 0
    task, late = asyncio.current_task(), False

    def end() -> None:
        nonlocal late
        late = True
        if task is not None:
            task.cancel()

    # One timer; `wait_for` would make a task of each body.
    timer = asyncio.get_running_loop().call_later(BODY_S, end)
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refused(413, "too-large", f"at most {most} bytes")
            parts.append(part)
    except asyncio.CancelledError:
        if not late:
            raise
        raise Refused(408, "slow", f"a body arrives within {BODY_S:.0f} s") from None
    finally:
        timer.cancel()
    return b"".join(parts)


async def read_json(request: Request, most: int) -> Any:
    """A JSON body. Raises Refused."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "content-type", "send application/json")
    body = await read_body(request, most)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "not-json", "the body is not JSON") from None


def _peer(hub: Hub, request: Request) -> str:
    peer = request.headers.get(PEER, "").removeprefix("agent.")
    if len(request.headers.getlist(PEER)) != 1 or peer not in hub.settings.hosts:
        raise Refused(403, "peer", "no host of this project")
    return peer


async def _pushed(hub: Hub, request: Request) -> tuple[str, Any]:
    owner = hub.pushed.who(request.headers.get("authorization", ""))
    who = f"?{caller(request)}" if owner is None else owner
    if not hub.push_limit.take(who, time.time()):
        raise Refused(429, "rate", "too many requests; put more into each")
    if owner is None:
        raise Refused(401, "token", "send Authorization: Bearer and your token")
    return owner, await read_json(request, MAX_PUSH)


def caller(request: Request) -> str:
    """Address of who asks, as nginx says."""
    return request.headers.get("x-real-ip", "")
