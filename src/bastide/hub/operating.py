"""The dashboard's API: logging in, and the few things that change something.

In: a one-time token, or requests of an operator. Out: a cookie; silences, acknowledgements.
Holds: guesses are slow, one by one and all together; everything that an operator does is an event.
"""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bastide.hub.alerting import make_silence, read_comment
from bastide.hub.auth import COOKIE, SESSION_S, TOKEN_S
from bastide.hub.core import Hub
from bastide.hub.gate import Gate
from bastide.hub.ingest import caller, read_json
from bastide.hub.refused import Refused
from bastide.hub.upstream import post_json

MAX_BODY = 16 << 10


def operating_routes(hub: Hub, gate: Gate) -> list[Route]:
    """What can be done by who is logged in, or wants to be."""

    async def login(request: Request) -> Response:
        gate.check_origin(request)
        now = time.time()
        # Looked at before the token: when guessing is slowed down, guessing right is too.
        if not hub.login_limit.take(caller(request), now) or not hub.all_logins_limit.take("", now):
            raise Refused(429, "rate", "too many attempts; wait a minute")
        plain = await read_json(request, MAX_BODY)
        token = plain.get("token") if isinstance(plain, dict) else None
        role = hub.logins.redeem(token, now) if isinstance(token, str) else None
        if role is None:
            hub.counts["logins_refused"] += 1
            raise Refused(
                401, "token", "this address was used already or is older than five minutes: bastide dashboard"
            )
        session, cookie = hub.sessions.open(role, now)
        await hub.say(
            "login", f"somebody logged in to the dashboard as {role}", by=session.id, address=caller(request)
        )
        answer = JSONResponse({"version": 1, "role": role, "csrf": session.csrf, "expires": session.expires})
        answer.set_cookie(
            COOKIE, cookie, max_age=int(SESSION_S), path="/", secure=True, httponly=True, samesite="strict"
        )
        return answer

    async def session(request: Request) -> Response:
        found = gate.session(request)
        until = None if found.expires == float("inf") else found.expires
        return JSONResponse({"version": 1, "role": found.role, "csrf": found.csrf, "expires": until})

    async def logout(request: Request) -> Response:
        hub.sessions.end(gate.own_write(request), time.time())
        answer = JSONResponse({"version": 1})
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return answer

    async def silence(request: Request) -> Response:
        by = gate.operator(request)
        document = make_silence(await read_json(request, MAX_BODY), by=f"dashboard {by.id}", now=time.time())
        made = await asyncio.to_thread(post_json, hub.settings.alertmanager, "/api/v2/silences", document)
        what = ", ".join(f"{m['name']}={m['value']}" for m in document["matchers"])
        await hub.say("silenced", f"{what}: {document['comment']}", by=by.id, until=document["endsAt"])
        return JSONResponse({"version": 1, "id": made.get("silenceID")})

    async def acknowledge(request: Request) -> Response:
        by = gate.operator(request)
        plain = await read_json(request, MAX_BODY)
        comment = read_comment(plain)
        alert = next((a for a in hub.alerts if a["fingerprint"] == plain.get("fingerprint")), None)
        if alert is None:
            raise Refused(404, "alert", "there is no such alert now")
        said = {"by": by.id, "comment": comment, "t": round(time.time(), 3)}
        await hub.say(
            "acknowledged",
            f"{alert['name']}: {comment}",
            by=by.id,
            comment=comment,
            fingerprint=alert["fingerprint"],
        )
        hub.acknowledged[alert["fingerprint"]] = alert["acknowledged"] = said
        return JSONResponse({"version": 1, "acknowledged": said})

    return [
        Route("/api/login", login, methods=["POST"]),
        Route("/api/session", session, methods=["GET"]),
        Route("/api/logout", logout, methods=["POST"]),
        Route("/api/silences", silence, methods=["POST"]),
        Route("/api/acknowledge", acknowledge, methods=["POST"]),
    ]


def admin_routes(hub: Hub) -> list[Route]:
    """For root of this host alone."""

    async def token(request: Request) -> Response:
        plain = await read_json(request, MAX_BODY)
        role = "operator" if isinstance(plain, dict) and plain.get("role") == "operator" else "viewer"
        word = hub.logins.create("operator" if role == "operator" else "viewer", time.time())
        return JSONResponse(
            {
                "version": 1,
                "token": word,
                "role": role,
                # Behind the #: browsers keep it to themselves, no log of any server has it.
                "url": f"{hub.settings.url}#login={word}",
                "expires_s": TOKEN_S,
            }
        )

    return [Route("/token", token, methods=["POST"])]
