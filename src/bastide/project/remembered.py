"""The last compilation of a project, so that an apply with nothing to do need not compile to find that out.

In: what was compiled, and everything that was read for it (`inputs`). Out: manifests and endpoints by host, for as long
as every input, this program and the question stand as they did. Holds: no content of a file, so no secret; mode 0600.
Only ever used to see that nothing is to be done: whatever is, is compiled anew.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastide.project.inputs import Inputs, code_mark, mark_of
from bastide.transport.endpoint import Endpoint, endpoint_from_plain, endpoint_to_plain

if TYPE_CHECKING:
    from bastide.bundle.model import HostBundle

_NAME = "compiled.json"
_LIFE_S = 12 * 3600
"""Certificates are renewed in the last third of ninety days: half a day later is early enough."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The question: which spec, with which overlay, for which machines."""

    file: Path
    environment: str | None
    target: str


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What was compiled then."""

    state: Path
    base: Path
    endpoints: Mapping[str, Endpoint]
    manifests: Mapping[str, dict[str, Any]]
    holds: bool
    """Whether nothing that it was made of has changed. Otherwise only where the hosts are is worth anything."""


def recall(asked: Asked) -> Remembered | None:
    """What is remembered for this question, if anything."""
    for place in _places(asked):
        try:
            record = json.loads(place.read_text())
            if record["asked"] != _plain(asked):
                continue
            return Remembered(
                state=place.parent,
                base=asked.file.resolve().parent,
                endpoints={host: endpoint_from_plain(host, plain) for host, plain in record["endpoints"].items()},
                manifests=record["manifests"],
                holds=_holds(record),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def remember(
    asked: Asked,
    state: Path,
    inputs: Inputs,
    endpoints: Mapping[str, Endpoint],
    bundles: Mapping[str, HostBundle],
) -> None:
    """Keep it beside the keys; nothing is kept when an input changed while it was read."""
    if not inputs.settled:
        (state / _NAME).unlink(missing_ok=True)
        return
    record = {
        "asked": _plain(asked),
        "at": time.time(),
        "code": code_mark(),
        "inputs": inputs.marks,
        "endpoints": {host: endpoint_to_plain(endpoint) for host, endpoint in endpoints.items()},
        "manifests": {host: bundle.manifest for host, bundle in bundles.items()},
    }
    draft = state / f".{_NAME}.{os.getpid()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        json.dump(record, stream, separators=(",", ":"))
    draft.replace(state / _NAME)


def _holds(record: Mapping[str, Any]) -> bool:
    age = time.time() - record["at"]
    return (
        0 <= age < _LIFE_S
        and record["code"] == code_mark()
        and all(mark_of(path) == mark for path, mark in record["inputs"].items())
    )


def _plain(asked: Asked) -> dict[str, Any]:
    return {"file": str(asked.file.resolve()), "environment": asked.environment, "target": asked.target}


def _places(asked: Asked) -> Iterator[Path]:
    root = asked.file.resolve().parent / ".bastide"
    for kind in ("lab", "servers"):
        yield root / (kind if asked.environment is None else f"{kind}-{asked.environment}") / _NAME
