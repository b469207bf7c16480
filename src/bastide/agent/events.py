"""What journal entries mean: log records, and the few that are events.

In: one entry as `journalctl -o json` writes it. Out: records without a number. Pure.
Holds: messages are bounded and hold no control characters, whatever a program wrote (a terminal that shows them must
not obey them). Events are told by systemd's message identifiers where there are any; programs that have none by the
words that they use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_MESSAGE = 16 << 10
UNIT_STARTED = "39f53479d3a045ac8e11786248231fbf"
UNIT_FAILED = ("d9b373ed55a64feb8242e02dbe79a49c", "be02cf6855d2428ba40df7e9d022f03d")
"""Ended with a failure; could not be started (systemd's sd-messages.h)."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
VERIFY_IDENTIFIER = "bastide-verify"
"""Under which `bastide verify` says in each journal that it begins and ends."""
VERIFY_PORTS = range(61000, 62000)
"""Source ports of its probes."""

DRILL_IDENTIFIER = "bastide-drill"
"""Under which `bastide drill` says in the monitors' journals what it breaks and when that is over."""

_DROP = re.compile(r"bastide dropped (in|out):")
_PROBE_PORTS = frozenset(map(str, VERIFY_PORTS))
_PAIRS = re.compile(r"\b([A-Z]+)=(\S+)")
_VIP = re.compile(r"\((\S+?)\) Entering (MASTER|BACKUP|FAULT) STATE")
_ACCEPTED = re.compile(r"^Accepted (\S+) for (\S+) from (\S+) port \d+")
_REFUSED = re.compile(
    r"^(?:Failed (\S+) for (?:invalid user )?|Invalid user ())(.*) from (\S+) port \d+(?: ssh2)?$"
)
# Greedy: a user name is what the visitor says, and may hold an address of his choice.


class Drop(NamedTuple):
    """Packets that a firewall dropped: those with equal fields are one event."""

    direction: str
    source: str
    target: str
    protocol: str
    port: str
    probe: bool = False
    """Whether it came from a port that `bastide verify` sends from; only its own announcement makes that count."""


def read_message(value: Any) -> str:
    """MESSAGE is text, a list of bytes where it is not UTF-8, or a list of either where it was given twice."""
    if isinstance(value, list):
        if value and all(isinstance(item, int) for item in value):
            value = bytes(item & 255 for item in value[: MAX_MESSAGE * 2]).decode("utf-8", "replace")
        else:
            value = " ".join(read_message(item) for item in value[:10])
    return clean(value) if isinstance(value, str) else ""


def clean(text: str) -> str:
    """Without escapes and control characters, and bounded in bytes."""
    text = _CONTROLS.sub("\ufffd", _ESCAPES.sub("", text[: MAX_MESSAGE * 2]))
    encoded = text.encode()
    return text if len(encoded) <= MAX_MESSAGE else encoded[: MAX_MESSAGE - 3].decode("utf-8", "ignore") + "…"


def read_log(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The log record of an entry. Raises ValueError, KeyError, TypeError for what is not an entry."""
    unit = entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or "kernel"
    priority = entry.get("PRIORITY")
    fields = {"identifier": clean(str(entry["SYSLOG_IDENTIFIER"]))} if "SYSLOG_IDENTIFIER" in entry else {}
    if "_PID" in entry:
        fields["pid"] = clean(str(entry["_PID"]))
    return {
        "t": int(entry["__REALTIME_TIMESTAMP"]) / 1e6,
        "kind": "log",
        "unit": clean(str(unit))[:200],
        "priority": int(priority) if priority in tuple("01234567") else 6,
        "message": read_message(entry.get("MESSAGE")),
        "fields": fields,
    }


def read_event(entry: Mapping[str, Any], log: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event that the entry is, if it is one."""
    message, identifier = log["message"], entry.get("SYSLOG_IDENTIFIER")
    code = entry.get("MESSAGE_ID")
    unit = entry.get("UNIT")
    trusted = str(entry.get("_PID")) == "1"  # any program may send systemd's identifiers
    if trusted and isinstance(unit, str) and code in UNIT_FAILED:
        return make_event(log["t"], "unit-failed", message, priority=3, unit=clean(unit))
    if trusted and isinstance(unit, str) and code == UNIT_STARTED and unit.endswith(".service"):
        return make_event(log["t"], "unit-started", message, unit=clean(unit))
    if entry.get("_SYSTEMD_UNIT") == "keepalived.service" and (found := _VIP.search(message)):
        # By its unit, which nobody else can claim; its own name depends on whether it logs to syslog or to stdout.
        state, message = found[2].lower(), message[found.start() :]
        return make_event(log["t"], "vip", message, priority=5, state=state, instance=found[1])
    if identifier == VERIFY_IDENTIFIER and str(entry.get("_UID")) == "0":
        # Root's alone to say: under this name drops are attributed to it.
        ended = message.startswith("verification ended")
        return make_event(log["t"], "verify", message, priority=5, state="ended" if ended else "began")
    if identifier == DRILL_IDENTIFIER and str(entry.get("_UID")) == "0":
        ended = message.startswith("drill ended")
        return make_event(log["t"], "drill", message, priority=5, state="ended" if ended else "began")
    if identifier in ("sshd", "sshd-session"):
        if found := _ACCEPTED.search(message):
            return make_event(
                log["t"], "login", message, priority=5, result="accepted", method=found[1], user=found[2],
                source=found[3],
            )  # fmt: skip
        if found := _REFUSED.search(message):
            return make_event(
                log["t"], "login", message, priority=4, result="refused", method=found[1] or "", user=found[3][:64],
                source=found[4],
            )  # fmt: skip
    return None


def read_drop(entry: Mapping[str, Any], message: str) -> Drop | None:
    """The dropped packet that ulogd tells of, if it does."""
    if entry.get("SYSLOG_IDENTIFIER") != "ulogd" or not (found := _DROP.search(message)):
        return None
    pairs = dict(_PAIRS.findall(message))
    return Drop(
        direction=found[1],
        source=pairs.get("SRC", ""),
        target=pairs.get("DST", ""),
        protocol=pairs.get("PROTO", "").lower(),
        port=pairs.get("DPT", ""),
        probe=pairs.get("SPT", "") in _PROBE_PORTS,
    )


def make_event(t: float, kind: str, message: str, *, priority: int = 6, **fields: Any) -> dict[str, Any]:
    """A record of kind `event`."""
    return {"t": t, "kind": "event", "type": kind, "priority": priority, "message": message, "fields": fields}
