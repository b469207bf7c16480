"""This computer's own name table, so that a lab's address opens in a browser here.

In: the lab's name, a domain, an address. Out: one marked line in /etc/hosts. Holds: only names under `.test` or
`.localhost` are ever written, a line of another lab is left alone, and what was written is removed by `down`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

HOSTS = Path("/etc/hosts")


def _mark(lab: str) -> str:
    return f"# bastide lab {lab}"


def point_domain(lab: str, domain: str, address: str, *, hosts: Path = HOSTS) -> bool:
    """Make `domain` lead to the lab. False when the table already has that name from elsewhere."""
    lines = [line for line in hosts.read_text().splitlines() if not line.endswith(_mark(lab))]
    if any(domain in line.split("#")[0].split()[1:] for line in lines):
        return False
    _replace(hosts, [*lines, f"{address} {domain} {_mark(lab)}"])
    return True


def forget_domain(lab: str, *, hosts: Path = HOSTS) -> None:
    """Remove the lab's line."""
    lines = hosts.read_text().splitlines()
    kept = [line for line in lines if not line.endswith(_mark(lab))]
    if kept != lines:
        _replace(hosts, kept)


def _replace(hosts: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    try:
        handle, draft = tempfile.mkstemp(dir=hosts.parent, prefix=".hosts-")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(draft).chmod(hosts.stat().st_mode & 0o777)
        Path(draft).replace(hosts)
    except OSError:
        # In a container /etc/hosts is a mount of its own that cannot be renamed over.
        Path(draft).unlink(missing_ok=True)
        hosts.write_text(text)
