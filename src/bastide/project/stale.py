"""Hosts that were away while the others changed: remembered until an apply has brought them along.

In: the state folder, an apply's result and what each host should have. Out: by host what it misses.
Holds: a host that has the wanted generation after all is not stale, whatever the record says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bastide.apply.result import ApplyResult
from bastide.bundle.model import HostBundle


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """What a host has yet to get."""

    wanted: str
    """Digest of the generation."""
    since: str
    """When it was first left behind."""


def read_stale(state: Path) -> Mapping[str, Missed]:
    """By host; empty when nothing was left behind."""
    try:
        return {host: Missed(**fields) for host, fields in json.loads(_record(state).read_text()).items()}
    except (OSError, ValueError, TypeError):
        return {}


def record_stale(state: Path, result: ApplyResult, bundles: Mapping[str, HostBundle], *, at: str) -> None:
    """Remember whom this apply left behind, and forget whom it brought along."""
    known = dict(read_stale(state))
    for host in result.hosts.values():
        if host.outcome == "stale":
            since = known[host.host].since if host.host in known else at
            known[host.host] = Missed(wanted=bundles[host.host].digest, since=since)
        elif host.outcome in ("changed", "unchanged"):
            known.pop(host.host, None)
    left = {host: missed for host, missed in known.items() if host in bundles}
    if not left:
        _record(state).unlink(missing_ok=True)
        return
    draft = _record(state).with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({host: asdict(missed) for host, missed in left.items()}))
    draft.replace(_record(state))


def _record(state: Path) -> Path:
    return state / "stale.json"
