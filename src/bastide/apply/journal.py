"""The journal: one line of JSON for each apply, in the controller's state directory.

In: a result. Out: a line appended to `journal` (mode 0600). Holds: who, when, what each host has now; no content.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bastide.apply.result import ApplyResult


def append_journal(
    state_dir: Path, result: ApplyResult, *, who: str, commit: str = "", operation: str = "apply"
) -> None:
    """Append one line; a line is written at once, so two applies cannot garble each other's."""
    record = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "who": who,
        "number": result.number,
        "commit": commit,
        "operation": operation,
        "result": "interrupted" if result.interrupted else "done" if result.ok else "failed",
        "changes": result.changes,
        "hosts": {
            h.host: {"result": h.outcome, "generation": h.digest, "changes": h.changes, "message": h.message}
            for h in result.hosts.values()
        },
    }
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(state_dir / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, json.dumps(record).encode() + b"\n")
    finally:
        os.close(handle)


def read_journal(state_dir: Path) -> list[dict[str, Any]]:
    """Its lines, oldest first; one that a crash cut short is left out."""
    found = []
    with suppress(OSError):
        for line in (state_dir / "journal").read_text().splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return found


def current_user() -> str:
    """Who applies, such as `anna@workstation`."""
    return f"{getpass.getuser()}@{platform.node()}"
