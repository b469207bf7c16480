"""A bundle as a host remembers it: its manifest, without the contents.

In: a manifest that was sent to a host once. Out: `RecordedBundle`, which goes where a bundle goes.
Holds: the digest is the same as the compiled bundle's; contents are on the host that recorded it, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bastide.bundle.model import HostBundle
from bastide.products.fragment import Archive


@dataclass(frozen=True, kw_only=True)
class RecordedBundle(HostBundle):
    """What a host was."""

    recorded: dict[str, Any]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """As it was recorded."""
        return self.recorded


def recorded_bundle(manifest: dict[str, Any]) -> RecordedBundle:
    """The bundle that has this manifest; what the plan asks of a bundle beside it is taken from there."""
    return RecordedBundle(
        host=manifest["host"],
        packages=tuple(manifest["packages"]),
        users=(),
        directories=(),
        archives=tuple(Archive(**archive) for archive in manifest["archives"]),
        files=(),
        units=(),
        checks=(),
        probes=(),
        sysctls=dict(manifest["sysctls"]),
        recorded=manifest,
    )


def empty_bundle(host: str) -> RecordedBundle:
    """A host that has nothing of ours: what left the spec altogether becomes this."""
    lists = ("packages", "users", "directories", "archives", "files", "units", "checks", "probes")
    return recorded_bundle({"format": 1, "host": host, **{name: [] for name in lists}, "sysctls": {}})
