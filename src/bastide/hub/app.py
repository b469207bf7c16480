"""The three faces: for nginx, for root of this host, and for the scraper on loopback.

In: Hub. Out: ASGI applications. Holds: every answer carries the headers of a page that loads nothing from
elsewhere; every refusal is one JSON object, and counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bastide.hub.api import api_routes
from bastide.hub.core import LOG, Hub
from bastide.hub.exposition import format_metrics, sample
from bastide.hub.gate import Gate
from bastide.hub.ingest import ingest_routes, push_routes, take_frame
from bastide.hub.operating import admin_routes, operating_routes
from bastide.hub.push import Sample
from bastide.hub.refused import Refused
from bastide.hub.remote_write import OTHER_HOST
from bastide.hub.static import static_routes
from bastide.hub.stream import stream_routes

COUNTED = (
    "frames", "frames_late", "records", "failures", "store_failures", "logins_refused", "series", "series_refused",
)  # fmt: skip
FRAMES = "/hub/v1/frames"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def public_app(hub: Hub) -> ASGIApp:
    """Behind nginx: agents, pushers, browsers."""
    gate = Gate(hub.sessions, open_to_all=False)
    routes = [
        *ingest_routes(hub),
        *push_routes(hub),
        *operating_routes(hub, gate),
        *api_routes(hub, gate),
        *stream_routes(hub, gate),
        *static_routes(),
    ]
    return _with_frames(hub, _assembled(hub, routes))


def admin_app(hub: Hub) -> ASGIApp:
    """On the socket that root alone can open."""
    gate = Gate(hub.sessions, open_to_all=True)
    return _assembled(hub, [*admin_routes(hub), *api_routes(hub, gate), *stream_routes(hub, gate)])


def metrics_app(hub: Hub) -> ASGIApp:
    """On loopback, for vmagent."""

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(
            format_metrics(_samples(hub)), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return _assembled(hub, [Route("/metrics", metrics)])


def _assembled(hub: Hub, routes: list[Route]) -> ASGIApp:
    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        hub.refused[error.code] += 1
        if error.code == OTHER_HOST:
            LOG.warning("%s", error.message)
        return _error(error.status, error.code, error.message, _retry(error))

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        hub.refused[f"http-{error.status_code}"] += 1
        return _error(error.status_code, f"http-{error.status_code}", str(error.detail), error.headers or {})

    def failed(request: Request, error: Exception) -> Response:
        hub.counts["failures"] += 1
        return _error(500, "failure", "the hub failed; its log says why", {})

    app = Starlette(
        routes=routes, exception_handlers={Refused: refused, HTTPException: http_error, Exception: failed}
    )
    return _with_headers(app)


def _with_frames(hub: Hub, app: ASGIApp) -> ASGIApp:
    """Frames apart from all else; only what is wrong with one is answered as everything is."""
    plain = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != FRAMES or scope["method"] != "POST":
            await app(scope, receive, send)
            return
        try:
            answer = await take_frame(hub, Request(scope, receive))
        except Refused as error:
            hub.refused[error.code] += 1
            await _error(error.status, error.code, error.message, _retry(error))(scope, receive, send)
            return
        length = (b"content-length", b"%d" % len(answer))
        await send({**plain, "headers": [*plain["headers"], length]})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": answer})

    return wrapped


def _retry(error: Refused) -> dict[str, str]:
    return {"Retry-After": "5"} if error.status in (429, 503) else {}


def _error(status: int, code: str, message: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": code, "message": message}, status_code=status, headers=headers)


def _with_headers(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] == "http":
            await app(scope, receive, send_with)

    return wrapped


def _samples(hub: Hub) -> Iterator[Sample]:
    now = time.time()
    for name in COUNTED:
        yield sample(f"bastide_hub_{name}_total", hub.counts[name], "counter")
    # Born at 0: an alert asks how much it grew.
    for code, count in {OTHER_HOST: 0, **hub.refused}.items():
        yield sample("bastide_hub_refused_total", count, "counter", code=code)
    for host in hub.live.hosts.values():
        # From our own start on for a host that was never heard: its silence must be seen too.
        heard = host.heard if host.frames else hub.started
        yield sample("bastide_hub_host_age_seconds", round(now - heard, 3), about=host.name)
    yield sample("bastide_hub_store_bytes", hub.store_size[0])
    yield sample("bastide_hub_store_records", hub.store_size[1])
    yield sample("bastide_hub_streams", hub.streams)
    counts = hub.state.get("reconciliation")
    if counts:
        for name in ("edge", "web", "own", "retries", "drift"):
            yield sample(f"bastide_hub_reconciled_{name}_requests", counts[name])
    for owner, pushed in hub.pushed.current(now):
        labels = tuple(sorted((*pushed.labels, ("pushed_by", owner))))
        yield Sample(name=pushed.name, labels=labels, value=pushed.value, type=pushed.type)
