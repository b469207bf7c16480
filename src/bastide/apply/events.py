"""What happens while hosts are looked at and changed, as small values that whoever watches can draw.

Holds: no content of a file is in them; lines of failing programs were masked on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """A host answered; it needs that many changes."""

    host: str
    changes: int
    fresh: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreachable:
    """A host did not answer."""

    host: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftBehind:
    """A host is away, and the run goes on without it."""

    host: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Progressed:
    """A host got on: `stage`, `check`, `activate`, `reach`, `confirm` or `undo` began or told something."""

    host: str
    phase: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """Something that people should know, and that stops nothing."""

    host: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchBegan:
    """These hosts change now, together."""

    number: int
    of: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFinished:
    """A host is as it should be."""

    host: str
    changes: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HostStopped:
    """A host failed; its previous generation is back, or was never left."""

    host: str
    phase: str
    message: str
    lines: tuple[str, ...]
    hint: str


Event: TypeAlias = (
    Observed | Unreachable | LeftBehind | Progressed | Warned | BatchBegan | HostFinished | HostStopped
)
OnEvent: TypeAlias = Callable[[Event], None]
"""Called from one thread at a time."""


def describe_host_event(kind: str, fields: dict[str, object]) -> str:
    """What a host told, as a line: `nginx.service reload`, `probed site`, …"""
    match kind:
        case "unit":
            return f"{fields['name']}: {fields['action']}"
        case "files":
            written, removed = fields.get("written", []), fields.get("removed", [])
            assert isinstance(written, list)
            assert isinstance(removed, list)
            return f"files: {len(written)} written" if written else f"files: {len(removed)} removed"
        case "packages":
            names = fields["names"]
            assert isinstance(names, list)
            return f"installing {' '.join(names)}"
        case "packages_removed":
            names = fields["names"]
            assert isinstance(names, list)
            return f"removed {' '.join(names)}"
        case "sending":
            return f"sending {fields['size']} bytes"
        case "checked":
            return f"check {fields['name']}: {'passed' if fields['passed'] else 'failed'}"
        case "probed":
            return f"probe {fields['name']}: holds after {fields['seconds']} s"
        case "drained":
            left = fields["left"]
            return f"{fields['name']}: drained" + (f", {left} requests still run" if left else "")
        case "warning":
            return str(fields["text"])
        case "rolling_back":
            return "putting the previous generation back"
        case "rolled_back":
            return "the previous generation is back"
        case _:
            said = fields.get("text") or fields.get("message") or fields.get("name") or fields.get("path") or ""
            return f"{kind} {said}".strip()
