"""The whole desired state of one host, content-addressed.

In: nothing; these are values. Out: `HostBundle` and its manifest (plain JSON; digests stand for contents).
Holds: the same fragments give the same digest; the manifest holds no content, so no secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from bastide.products.fragment import Archive, Check, Directory, File, Probe, Unit, User


def digest_of(content: bytes) -> str:
    """sha256, hex."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class HostBundle:
    """What a host should be."""

    host: str
    packages: tuple[str, ...]
    users: tuple[User, ...]
    directories: tuple[Directory, ...]
    archives: tuple[Archive, ...]
    files: tuple[File, ...]
    units: tuple[Unit, ...]
    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    sysctls: Mapping[str, str]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Plain JSON values; a file stands as its path, sha256, size, mode, owner, group and secret flag."""
        files = [
            {
                "path": f.path,
                "sha256": digest_of(f.content),
                "size": len(f.content),
                "mode": f.mode,
                "owner": f.owner,
                "group": f.group,
                "secret": f.secret,
            }
            for f in self.files
        ]
        return {
            "format": 1,
            "host": self.host,
            "packages": list(self.packages),
            "users": [asdict(u) for u in self.users],
            "directories": [asdict(d) for d in self.directories],
            "archives": [asdict(a) for a in self.archives],
            "files": files,
            "units": [asdict(u) for u in self.units],
            "checks": [asdict(c) for c in self.checks],
            "probes": [asdict(p) for p in self.probes],
            "sysctls": dict(self.sysctls),
        }

    @cached_property
    def digest(self) -> str:
        """sha256 of the manifest in canonical JSON: names the generation."""
        return digest_of(json.dumps(self.manifest, sort_keys=True, separators=(",", ":")).encode())

    @cached_property
    def contents(self) -> Mapping[str, bytes]:
        """File contents by their sha256."""
        return {digest_of(f.content): f.content for f in self.files}
