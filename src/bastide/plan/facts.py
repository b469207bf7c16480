"""What was observed on one host, typed.

In: the answer of `bastide.host.observe`. Out: `HostFacts`. Holds: pure; nothing in it was decided by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bastide.host.decide import Stamp, UnitState
from bastide.host.manifest import Manifest, empty_manifest


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """One look at a host, with the bundle that it should have in mind."""

    host: str
    hostname: str
    os: str
    """Such as `debian 12`."""
    python: str
    boot_id: str
    uptime_s: float
    disk_free: int
    """Bytes free below /var."""
    generation: str
    """Digest of the live generation; empty on a host that never had one."""
    settled: bool
    """The live generation was confirmed, and nothing later was begun and left."""
    phase: str
    """How far the newest activation is (`host.state.Activation`)."""
    manifest: Manifest
    """Of the live generation; the empty one on a fresh host."""
    stamps: Mapping[str, Stamp]
    files: Mapping[str, str | None]
    """sha256 of what stands at each path, wanted or had."""
    differing: frozenset[str]
    """Wanted paths whose content, mode or owner is another."""
    missing_packages: tuple[str, ...]
    missing_users: tuple[str, ...]
    missing_archives: tuple[str, ...]
    differing_directories: tuple[str, ...]
    sysctls_differ: bool
    units: Mapping[str, UnitState]
    exists: Mapping[str, bool]
    """The paths that were asked for."""
    number: int = 0
    """Highest number of an apply that this host has seen; 0 on a fresh host."""
    on_purpose: str = ""
    """Who went back to an older generation, which is live now; empty when nobody did."""
    token: str = ""
    """Names the newest activation: another one says that somebody applied meanwhile."""

    clock_ahead_s: float = 0.0
    """How far its clock is ahead of ours."""

    @property
    def fresh(self) -> bool:
        """Whether nothing of ours is live."""
        return not self.generation


def read_facts(host: str, answer: Mapping[str, Any], wanted: Manifest, *, clock_ahead_s: float = 0.0) -> HostFacts:
    """Type the host's answer to a question about `wanted`."""
    return HostFacts(
        host=host,
        hostname=answer["hostname"],
        os=f"{answer['os_id']} {answer['os_version']}",
        python=answer["python"],
        boot_id=answer["boot_id"],
        uptime_s=answer["uptime_s"],
        disk_free=answer["disk_free"],
        generation=answer["generation"],
        settled=answer["settled"],
        phase=answer["phase"],
        manifest=(answer["manifest"] or wanted) if answer["generation"] else empty_manifest(),
        stamps=answer["stamps"],
        files=answer["files"],
        differing=frozenset(answer["differing"]),
        missing_packages=tuple(answer["missing_packages"]),
        missing_users=tuple(answer["missing_users"]),
        missing_archives=tuple(answer["missing_archives"]),
        differing_directories=tuple(answer["differing_directories"]),
        sysctls_differ=answer["sysctls_differ"],
        units=answer["units"],
        exists=answer["exists"],
        # A host whose program was left by an older version does not know these yet.
        number=answer.get("number", 0),
        on_purpose=answer.get("on_purpose", ""),
        token=answer.get("token", ""),
        clock_ahead_s=clock_ahead_s,
    )
