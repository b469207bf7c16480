"""Alerts, as Alertmanager has them, and what people said to them.

In: Alertmanager's documents. Out: plain alerts, silences, and what changed since the last look.
Holds: pure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bastide.hub.refused import Refused

MAX_COMMENT = 1000
MAX_SILENCE_S = 7 * 86400.0
SHOWN = 200


def plain_alerts(document: Any, acknowledged: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """`GET /api/v2/alerts` -> what we show, the worst first."""
    found = []
    for alert in document if isinstance(document, list) else []:
        labels, notes = alert.get("labels", {}), alert.get("annotations", {})
        mark = str(alert.get("fingerprint", ""))
        found.append(
            {
                "fingerprint": mark,
                "name": labels.get("alertname", ""),
                "severity": labels.get("severity", ""),
                "host": labels.get("host", ""),
                "state": alert.get("status", {}).get("state", ""),
                "summary": notes.get("summary", ""),
                "description": notes.get("description", ""),
                "runbook": notes.get("runbook_url", notes.get("runbook", "")),
                "since": alert.get("startsAt", ""),
                "labels": labels,
                "acknowledged": acknowledged.get(mark),
            }
        )
    rank = {"page": 0, "ticket": 1}
    found.sort(key=lambda a: (rank.get(a["severity"], 2), a["name"], a["host"]))
    return tuple(found[:SHOWN])


def changes(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> tuple[tuple[Mapping[str, Any], bool], ...]:
    """Alerts that began (True) or ended (False); an always-firing watchdog is no news."""
    old = {a["fingerprint"]: a for a in before}
    new = {a["fingerprint"]: a for a in after}
    began = tuple((a, True) for mark, a in new.items() if mark not in old)
    ended = tuple((a, False) for mark, a in old.items() if mark not in new)
    return tuple((a, up) for a, up in (*began, *ended) if a["severity"] in ("page", "ticket"))


def make_silence(plain: Any, *, by: str, now: float) -> dict[str, Any]:
    """`{"matchers": {label: value}, "minutes", "comment"}` -> Alertmanager's document. Raises Refused."""
    matchers = plain.get("matchers") if isinstance(plain, dict) else None
    minutes = plain.get("minutes", 60) if isinstance(plain, dict) else None
    if not isinstance(matchers, dict) or not 1 <= len(matchers) <= 20 or not all(map(_short, matchers.values())):
        raise Refused(400, "matchers", "matchers is an object of one label or more")
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes * 60 <= MAX_SILENCE_S:
        raise Refused(400, "minutes", "minutes is a number, at most a week of them")
    return {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers.items()
        ],
        "startsAt": _iso(now),
        "endsAt": _iso(now + minutes * 60),
        "createdBy": by,
        "comment": read_comment(plain),
    }


def read_comment(plain: Any) -> str:
    """Why; it must be said. Raises Refused."""
    comment = plain.get("comment") if isinstance(plain, dict) else None
    if not isinstance(comment, str) or not comment.strip() or len(comment) > MAX_COMMENT:
        raise Refused(400, "comment", f"say why, in at most {MAX_COMMENT} characters")
    return comment.strip()


def _short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 500


def _iso(t: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
