"""The dashboard's API: reading.

In: requests of a session (or of root over the admin socket). Out: JSON.
Holds: every route asks for a session first; nothing here changes anything but `sessions.py` and `operating.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bastide.hub.core import Hub
from bastide.hub.gate import Gate
from bastide.hub.live import MINUTES
from bastide.hub.refused import Refused
from bastide.hub.searching import read_number, read_query, read_time, run_search
from bastide.hub.state import picture
from bastide.hub.upstream import fetch_json, query_metrics

TIMELINE = (
    "deploy", "vip", "unit-failed", "unit-started", "certificate", "agent", "drift", "spool", "alert", "acknowledged",
    "silenced", "verify", "drill",
)  # fmt: skip
MAX_NAMES = 8


def api_routes(hub: Hub, gate: Gate) -> list[Route]:
    """What can be read."""

    async def state(request: Request) -> Response:
        gate.session(request)
        return JSONResponse(hub.state | {"picture": picture(hub.settings)})

    async def whiteboard(request: Request) -> Response:
        gate.session(request)
        try:
            content = await asyncio.to_thread(Path(hub.settings.picture).read_bytes)
        except OSError:
            raise Refused(404, "picture", "this monitor has no picture; bastide apply brings it") from None
        return Response(content, media_type="image/svg+xml")

    async def then(request: Request) -> Response:
        gate.session(request)
        now = time.time()
        found = hub.history.at(read_time(request.query_params.get("t", ""), now, now))
        if found is None:
            raise Refused(404, "then", "this monitor remembers nothing of that moment")
        t, text = found
        head = json.dumps({"version": 1, "t": t, "since": hub.history.since})
        return Response(f'{head[:-1]},"state":{text}}}', media_type="application/json")

    async def series(request: Request) -> Response:
        gate.session(request)
        return JSONResponse(_series(hub, request.query_params))

    async def logs(request: Request) -> Response:
        gate.session(request)
        query = read_query(request.query_params, time.time())
        async with hub.searching:
            return JSONResponse(await run_search(hub.store_folder, query, hub.search_argv))

    async def events(request: Request) -> Response:
        gate.session(request)
        return JSONResponse(await _notable(hub, request.query_params, units=_types(request)))

    async def timeline(request: Request) -> Response:
        gate.session(request)
        return JSONResponse(await _notable(hub, request.query_params, units=_types(request) or TIMELINE))

    async def alerts(request: Request) -> Response:
        gate.session(request)
        age = None if hub.alerts_at is None else round(time.time() - hub.alerts_at, 1)
        return JSONResponse({"version": 1, "age_s": age, "alerts": list(hub.alerts)})

    async def silences(request: Request) -> Response:
        gate.session(request)
        found = await asyncio.to_thread(fetch_json, hub.settings.alertmanager, "/api/v2/silences")
        current = [s for s in found if s.get("status", {}).get("state") != "expired"]
        return JSONResponse({"version": 1, "silences": current})

    async def metrics(request: Request) -> Response:
        gate.session(request)
        async with hub.searching:
            status, body = await asyncio.to_thread(
                query_metrics, hub.settings.prometheus, request.path_params["call"], dict(request.query_params)
            )
        return Response(body, status_code=status, media_type="application/json")

    return [
        Route("/api/state", state),
        Route("/api/picture.svg", whiteboard),
        Route("/api/then", then),
        Route("/api/series", series),
        Route("/api/logs", logs),
        Route("/api/events", events),
        Route("/api/timeline", timeline),
        Route("/api/alerts", alerts),
        Route("/api/silences", silences, methods=["GET"]),
        Route("/api/metrics/{call}", metrics, methods=["GET"]),
    ]


def _series(hub: Hub, given: Mapping[str, str]) -> dict[str, Any]:
    """`name` (several with commas), `host` (absent: all hosts together; `*`: each), `minutes`, `until`."""
    names = [name for name in given.get("name", "").split(",") if name]
    if not 1 <= len(names) <= MAX_NAMES:
        raise Refused(400, "name", f"name is one to {MAX_NAMES} series, with commas between")
    host = given.get("host", "")
    if host not in ("", "*") and host not in hub.live.hosts:
        raise Refused(404, "host", "no host of this project")
    count = read_number(given, "minutes", 5, 1, MINUTES) * 60
    # The current second is still being told.
    last = time.time() - 1
    until = int(min(last, read_time(given.get("until", ""), last, last)))
    sources = {"": hub.totals} if not host else {
        name: live.series for name, live in hub.live.hosts.items() if host in ("*", name)
    }  # fmt: skip
    return {
        "version": 1,
        "until": until,
        "step_s": 1,
        "series": {
            name: {of: rings[name].last(until, count) for of, rings in sources.items() if name in rings}
            for name in names
        },
    }


async def _notable(hub: Hub, given: Mapping[str, str], *, units: tuple[str, ...]) -> dict[str, Any]:
    """Events, the newest first; `errors=1`: log lines of priority 3 or worse instead."""
    now = time.time()
    since = read_time(given.get("since", ""), now, now - 86400.0)
    until = read_time(given.get("until", ""), now, now + 86400.0)
    host, limit = given.get("host") or None, read_number(given, "limit", 200, 1, 2000)
    errors = given.get("errors") == "1"
    found = await hub.on_disk(
        lambda: hub.archive.index.notable(
            kind="log" if errors else "event", since=since, until=until, host=host,
            units=() if errors else units, limit=limit,
        )
    )  # fmt: skip
    return {"version": 1, "events": [record.to_json() for record in found]}


def _types(request: Request) -> tuple[str, ...]:
    return tuple(t for t in request.query_params.get("type", "").split(",") if t)[:20]
