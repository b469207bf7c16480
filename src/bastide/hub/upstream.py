"""Prometheus and Alertmanager on this monitor, asked over loopback.

In: a base URL, a path, parameters. Out: status and JSON bytes. Raises Refused when it does not answer.
Holds: only these paths, whatever the asker says; an answer is bounded in size and time. Blocking: for a thread.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from bastide.hub.refused import Refused

TIMEOUT_S = 10.0
MAX_ANSWER = 16 << 20
METRIC_PATHS: Mapping[str, tuple[str, ...]] = {
    "query": ("query", "time"),
    "query_range": ("query", "start", "end", "step"),
}
"""Read-only calls of Prometheus' API, and the parameters that are passed on."""
MAX_QUERY = 4096


def query_metrics(base: str, call: str, given: Mapping[str, str]) -> tuple[int, bytes]:
    """A read-only query."""
    if call not in METRIC_PATHS:
        raise Refused(404, "call", f"there are: {', '.join(METRIC_PATHS)}")
    passed = {name: given[name] for name in METRIC_PATHS[call] if name in given}
    if not passed.get("query") or any(len(text) > MAX_QUERY for text in passed.values()):
        raise Refused(400, "query", f"query is a text of at most {MAX_QUERY} characters")
    return _ask(base, "GET", f"/api/v1/{call}?{urlencode({**passed, 'timeout': '8s'})}")


def fetch_json(base: str, path: str) -> Any:
    """A JSON document."""
    status, body = _ask(base, "GET", path)
    if status != 200:
        raise Refused(502, "upstream", f"{base}{path} answered {status}")
    return _parse(body)


def post_json(base: str, path: str, document: object) -> Any:
    """Send one, read the answer. Raises Refused with what was said against it."""
    status, body = _ask(base, "POST", path, json.dumps(document).encode())
    if status != 200:
        raise Refused(400, "upstream", body[:300].decode(errors="replace"))
    return _parse(body)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Refused(502, "upstream", "the answer is not JSON") from None


def _ask(base: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    at = urlsplit(base)
    connection = http.client.HTTPConnection(at.hostname or "", at.port or 80, timeout=TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, at.path.rstrip("/") + path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Refused(502, "upstream", f"{base} does not answer: {error}") from None
    finally:
        connection.close()
    if len(answer) > MAX_ANSWER:
        raise Refused(502, "upstream", "the answer is too large; ask for less")
    return response.status, answer
