"""POST /push: metrics and events of programs on this host, as plain JSON.

    {"metrics": [{"name": "queue_length", "value": 3, "type": "gauge", "labels": {"queue": "mail"}},
                 {"name": "mails_sent_total", "value": 1, "type": "counter"}],
     "events":  [{"type": "deploy", "message": "version 7", "priority": 5, "fields": {"version": "7"}}]}

In: that, parsed. Out: pushed metrics; event records without a number. A gauge is set, a counter is added to.
Holds: types of events that the agent itself tells cannot be given out for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bastide.agent.events import clean, make_event
from bastide.agent.pushed import Pushed, Refused

MAX_EVENTS = 100
_OURS = frozenset(
    {
        "vip",
        "firewall-drop",
        "unit-failed",
        "unit-started",
        "login",
        "drift",
        "certificate",
        "agent",
        "spool",
        "verify",
        "drill",
    }
)
_TYPE = re.compile(r"[a-z][a-z0-9-]{0,39}")


def read_metrics(body: Mapping[str, Any], pushed: Pushed) -> None:
    """Take every metric, in order. Raises Refused, TooManySeries."""
    for metric in _list(body, "metrics"):
        kind, labels = metric.get("type", "gauge"), metric.get("labels", {})
        if kind not in ("gauge", "counter") or not isinstance(labels, dict):
            raise Refused(f"{metric.get('name')!r:.60}: type is gauge or counter, labels are an object")
        put = pushed.add if kind == "counter" else pushed.set
        put(metric.get("name", ""), labels, metric.get("value", ""), kind)


def read_events(body: Mapping[str, Any], now_s: float) -> Iterator[dict[str, Any]]:
    """Event records. Raises Refused."""
    events = _list(body, "events")
    if len(events) > MAX_EVENTS:
        raise Refused(f"more than {MAX_EVENTS} events in one request")
    for event in events:
        kind, priority, fields = event.get("type", ""), event.get("priority", 6), event.get("fields", {})
        if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or kind in _OURS:
            raise Refused(
                f"type {kind!r:.60} of an event: small letters, digits, dashes, and not one of the agent's own"
            )
        if priority not in range(8) or not isinstance(fields, dict) or len(fields) > 32:
            raise Refused("an event's priority is 0 to 7, its fields are an object of at most 32")
        plain = {clean(str(key))[:100]: clean(str(value))[:1000] for key, value in fields.items()}
        record = make_event(now_s, kind, clean(str(event.get("message", ""))), priority=priority)
        yield {**record, "fields": plain}


def _list(body: Any, name: str) -> list[dict[str, Any]]:
    found = body.get(name, []) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Refused(f"the body is an object, and {name} a list of objects in it")
    return found
