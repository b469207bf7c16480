"""What certificates there are, and until when.

In: an authority's directory. Out: one entry a certificate, the first to expire first.
Holds: nothing is changed; a damaged file is listed without dates rather than left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from bastide.pki.authority import Authority
from bastide.pki.certificates import parse_certificates
from bastide.pki.leaves import renewal_time
from bastide.pki.storage import read_file

Kind = Literal["root", "intermediate", "edge", "identity"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """One certificate on disk."""

    kind: Kind
    name: str
    """The identity's common name; otherwise the kind."""
    not_after: datetime | None
    """None: the file is damaged."""
    renews_at: datetime | None
    """When a run renews it; None for the authority's own and for damaged files."""
    serial: str
    """Hex, as on the wire."""


def list_expiries(authority: Authority) -> tuple[Expiry, ...]:
    """Every certificate of the authority, those of hosts that left the spec included."""
    return tuple(sorted(_entries(authority.directory), key=_order))


def _order(entry: Expiry) -> tuple[float, str]:
    return (entry.not_after.timestamp() if entry.not_after else 0.0, entry.name)


def _entries(directory: Path) -> Iterator[Expiry]:
    yield _entry("root", "root", directory / "root/root.pem")
    yield _entry("intermediate", "intermediate", directory / "intermediate/intermediate.pem")
    if (directory / "edge").exists():
        yield _entry("edge", "edge", directory / "edge/cert.pem")
    for path in sorted((directory / "leaves").glob("*/cert.pem")):
        yield _entry("identity", path.parent.name, path)


def _entry(kind: Kind, name: str, path: Path) -> Expiry:
    found = parse_certificates(read_file(path))
    if not found:
        return Expiry(kind=kind, name=name, not_after=None, renews_at=None, serial="")
    return Expiry(
        kind=kind,
        name=name,
        not_after=found[0].not_valid_after_utc,
        renews_at=renewal_time(found[0]) if kind in ("edge", "identity") else None,
        serial=f"{found[0].serial_number:x}",
    )
