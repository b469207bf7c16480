"""What the compiler cannot derive and is handed: certificates, secrets, releases.

In: nothing; these are values, made by `pki/` and `apply/`. Out: `Materials`.
Holds: `repr` never shows a key or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bastide.policy.identities import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPair:
    """A certificate with its chain, and its private key."""

    certificate_pem: str
    """Leaf first, then intermediates; the root is not in it."""
    key_pem: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A tree of files that is shipped whole: an application's code with its dependencies, or static files."""

    name: str
    """`app`, or `static-0`, `static-1`, … in the order of `web.static`."""
    digest: str
    """sha256 of the archive, hex; the archive is an uncompressed or gzip tar with sorted names and no times."""
    size: int
    """Bytes of the archive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Materials:
    """Everything that the compiler is handed beside the topology."""

    trust_anchor_pem: str
    """The project's root, which every peer trusts."""
    identities: Mapping[Identity, KeyPair]
    edge: KeyPair
    """Certificate for the domains."""
    secrets: Mapping[str, str] = field(repr=False)
    """By name: `app.<VARIABLE>`, `database.password`, `database.replication`, `keepalived.auth`, …"""
    releases: Mapping[str, Release]
    """By name."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Contents of small files that the spec names, such as `balancer.maintenance_page`."""
    dashboards: Mapping[str, KeyPair] = field(default_factory=dict)
    """Certificate of each monitor's dashboard, by host: what browsers see."""
