"""One live frame, as an agent sends it each second.

In: bytes of a request. Out: `Frame`. Raises Refused: nothing of a frame that breaks a rule is used.
Holds: every number is finite; names are short and there are few of them, so that no host can fill our memory.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bastide.hub.refused import Refused

MAX_BYTES = 512 << 10
MAX_GAUGES = 64
MAX_COUNTERS = 4000
MAX_NAME = 160
MAX_SKEW_S = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What one host said at one moment."""

    host: str
    t: float
    seq: int
    gauges: Mapping[str, float]
    counters: Mapping[str, float]
    """Cumulative, such as `requests|web|app|2xx`."""


def parse_frame(body: bytes, *, peer: str, now: float) -> Frame:
    """A frame of that peer."""
    if len(body) > MAX_BYTES:
        raise Refused(413, "frame-too-large", f"a frame has at most {MAX_BYTES} bytes")
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "not-json", "a frame is one JSON object") from None
    if not isinstance(plain, dict):
        raise Refused(400, "not-json", "a frame is one JSON object")
    if plain.get("host") != peer:
        raise Refused(403, "other-host", f"{peer} may not speak for another host")
    t, seq = plain.get("t"), plain.get("seq")
    if t is None or not _is_number(t) or abs(t - now) > MAX_SKEW_S:
        raise Refused(400, "time", f"t is unix seconds, at most {MAX_SKEW_S:.0f} s from now; is the clock right?")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**63:
        raise Refused(400, "seq", "seq is a whole number")
    return Frame(
        host=peer,
        t=float(t),
        seq=seq,
        gauges=_numbers(plain.get("gauges", {}), "gauges", MAX_GAUGES),
        counters=_numbers(plain.get("counters", {}), "counters", MAX_COUNTERS),
    )


def _numbers(plain: Any, what: str, most: int) -> dict[str, float]:
    if not isinstance(plain, dict) or len(plain) > most:
        raise Refused(400, what, f"{what} is an object of at most {most} numbers")
    for name, value in plain.items():
        if len(name) > MAX_NAME or not _is_number(value):
            raise Refused(400, what, f"{what}: names have at most {MAX_NAME} characters, values are finite numbers")
    # The same few names come each second: kept once.
    return {sys.intern(name): float(value) for name, value in plain.items()}


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
