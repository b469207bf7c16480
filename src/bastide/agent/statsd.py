"""StatsD's lines, with the tags that Datadog added.

In: a datagram: `name:value|type[|@rate][|#tag:value,…]`, one a line; types c, g, ms, h, d. Out: pushed metrics.
Timings become a sum and a count, in what they were sent in.
"""

from __future__ import annotations

from bastide.agent.pushed import Pushed, Refused


def read_datagram(datagram: bytes, pushed: Pushed) -> None:
    """All lines of it. Raises Refused for the first that is wrong, TooManySeries; the lines before it count."""
    for line in datagram.decode("utf-8", "replace").splitlines():
        if line.strip():
            _read_line(line.strip(), pushed)


def _read_line(line: str, pushed: Pushed) -> None:
    name, colon, rest = line.partition(":")
    value, *parts = rest.split("|")
    if not colon or not parts:
        raise Refused(f"not name:value|type: {line!r:.80}")
    rate, labels = 1.0, {}
    for part in parts[1:]:
        if part.startswith("@"):
            rate = _number(part[1:], line)
        elif part.startswith("#"):
            labels = {tag.partition(":")[0]: tag.partition(":")[2] or "true" for tag in part[1:].split(",")}
    if not 0 < rate <= 1:
        raise Refused(f"a rate is in (0, 1]: {line!r:.80}")
    number = _number(value, line)
    if parts[0] == "c":
        pushed.add(name, labels, number / rate)
    elif parts[0] == "g" and value[0] in "+-":
        pushed.add(name, labels, number, "gauge")
    elif parts[0] == "g":
        pushed.set(name, labels, number, "gauge")
    elif parts[0] in ("ms", "h", "d"):
        pushed.add(f"{name}_count", labels, 1 / rate)
        pushed.add(f"{name}_sum", labels, number / rate)
    else:
        raise Refused(f"type {parts[0]!r:.10} is not one of c, g, ms, h, d")


def _number(text: str, line: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refused(f"not a number: {line!r:.80}") from None
