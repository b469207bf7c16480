"""Metrics and events from programs that are on none of our hosts.

In: JSON of somebody with a token. Out: series that `/metrics` shows until they are five minutes old, and records.
Holds: bounded for each token; a name or label that Prometheus would not take is refused, and so is what would pass
for somebody else's (`host`, `instance`, `job`).
"""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bastide.hub.records import Record, make_record
from bastide.hub.refused import Refused

MAX_BYTES = 1 << 20
MAX_SERIES = 1000
MAX_SAMPLES = 2000
MAX_LABELS = 10
MAX_LABEL = 200
MAX_EVENTS = 500
KEPT_S = 300.0
RESERVED = frozenset({"host", "instance", "job", "pushed_by"})
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,119}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,59}")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A series' newest value."""

    name: str
    labels: Labels
    """Sorted."""
    value: float
    type: str
    """gauge or counter."""


class Pushed:
    """What was pushed and is still current."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._series: dict[str, dict[tuple[str, Labels], tuple[float, Sample]]] = {name: {} for name in tokens}

    def who(self, authorization: str) -> str | None:
        """Name of the token's owner."""
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            return None
        given = token.strip().encode("utf-8", "replace")
        # All are compared, whichever fits: the time it takes tells nothing.
        fitting = [name for name, known in self._tokens.items() if hmac.compare_digest(known.encode(), given)]
        return fitting[0] if fitting else None

    def take(self, owner: str, samples: Sequence[Sample], now: float) -> None:
        """Keep them. Raises Refused, and nothing is kept, when it would become too many series."""
        series = self._series[owner]
        for key in [key for key, (since, _) in series.items() if now - since > KEPT_S]:
            del series[key]
        new = {(s.name, s.labels) for s in samples} - series.keys()
        if len(series) + len(new) > MAX_SERIES:
            raise Refused(429, "series", f"at most {MAX_SERIES} series; {len(series)} are current")
        for sample in samples:
            series[sample.name, sample.labels] = (now, sample)

    def current(self, now: float) -> Iterator[tuple[str, Sample]]:
        """Owner and sample of everything that is not too old."""
        for owner, series in self._series.items():
            for since, sample in series.values():
                if now - since <= KEPT_S:
                    yield owner, sample


def parse_metrics(plain: Any) -> tuple[Sample, ...]:
    """`{"metrics": [{"name", "value", "labels"?, "type"?}]}`."""
    listed = plain.get("metrics") if isinstance(plain, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_SAMPLES:
        raise Refused(400, "metrics", f"metrics is a list of at most {MAX_SAMPLES}")
    return tuple(_metric(index, metric) for index, metric in enumerate(listed))


def parse_events(plain: Any, *, owner: str, now: float) -> tuple[Record, ...]:
    """`{"events": [{"type", "message", "priority"?, "fields"?, "t"?}]}`, not numbered yet."""
    listed = plain.get("events") if isinstance(plain, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_EVENTS:
        raise Refused(400, "events", f"events is a list of at most {MAX_EVENTS}")
    found: list[Record] = []
    for index, event in enumerate(listed):
        record = None
        if isinstance(event, dict):
            whole = {"priority": 6, "t": now, **event, "kind": "event"}
            record = make_record(whole, host=pusher(owner), seq=0)
        if record is None:
            raise Refused(400, "events", f"events[{index}]: type and message are texts, priority is 0 to 7")
        found.append(record)
    return tuple(found)


def pusher(owner: str) -> str:
    """The name under which its records are kept; no host can have it."""
    return f"_push-{owner}"


def make_sample(where: str, name: Any, value: Any, labels: Any, kind: Any) -> Sample:
    """A sample. Raises Refused naming `where`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith(("bastide_", "__")):
        raise Refused(400, "name", f"{where}: a metric's name is like orders_total, and not bastide_…")
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise Refused(400, "value", f"{where}: a value is a finite number")
    if kind not in ("gauge", "counter"):
        raise Refused(400, "type", f"{where}: type is gauge or counter")
    if not isinstance(labels, Mapping) or len(labels) > MAX_LABELS:
        raise Refused(400, "labels", f"{where}: labels is an object of at most {MAX_LABELS} texts")
    for label, text in labels.items():
        if not _LABEL.fullmatch(label) or label.startswith("__") or label in RESERVED:
            raise Refused(400, "labels", f"{where}: a label cannot be called {label[:60]!r}")
        if not isinstance(text, str) or len(text) > MAX_LABEL:
            raise Refused(400, "labels", f"{where}: a label is a text of at most {MAX_LABEL} characters")
    return Sample(name=name, labels=tuple(sorted(labels.items())), value=float(value), type=kind)


def _metric(index: int, metric: Any) -> Sample:
    if not isinstance(metric, dict):
        raise Refused(400, "metrics", f"metrics[{index}] is an object")
    return make_sample(
        f"metrics[{index}]",
        metric.get("name"),
        metric.get("value"),
        metric.get("labels", {}),
        metric.get("type", "gauge"),
    )


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
