"""What a target should be: the compiler, with everything that it must be handed.

In: a Target, the time, the environment. Out: `Desired`: one bundle a host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import FileSystemBytecodeCache

from bastide.apply.releases import build_releases
from bastide.bundle.compile import compile_bundles
from bastide.bundle.model import HostBundle
from bastide.pki.materials import gather_materials
from bastide.policy.materials import Materials
from bastide.policy.secrets import derive_secrets
from bastide.products.templates import use_compiled
from bastide.project.target import Target
from bastide.topology.model import Topology
from bastide.topology.resolve import resolve_topology


@dataclass(frozen=True, kw_only=True)
class Desired:
    """The whole desired state."""

    topology: Topology
    bundles: Mapping[str, HostBundle]
    blobs: Path
    """Folder of the releases' archives, by digest."""
    from_environment: bool = False
    """Whether a secret came from the environment, so that files alone do not tell what the hosts should be."""


def derive_desired(
    target: Target,
    *,
    now: datetime,
    environ: Mapping[str, str],
    on_progress: Callable[[str], None],
    alter: Callable[[Materials], Materials] = lambda materials: materials,
) -> Desired:
    """Resolve, build releases, issue certificates, compile. Raises PkiError, SecretsMissing, ReleaseFailed.

    `alter`: what a drill hands to the compiler instead of what was gathered.
    """
    topology = resolve_topology(target.spec)
    _keep_compiled_templates(target.state / "templates")
    blobs = target.state / "blobs"
    releases = build_releases(target.spec, target.base, blobs, on_progress=on_progress)
    materials = gather_materials(
        target.spec,
        topology,
        state=target.state,
        base=target.base,
        environ=environ,
        now=now,
        releases=releases,
    )
    return Desired(
        topology=topology,
        bundles=compile_bundles(target.spec, topology, alter(materials)),
        blobs=blobs,
        from_environment=any(secret.env is not None for secret in derive_secrets(target.spec).values()),
    )


def _keep_compiled_templates(folder: Path) -> None:
    """Half of a small site's compilation is that of its templates, which are the same each time."""
    folder.mkdir(mode=0o700, exist_ok=True)
    use_compiled(FileSystemBytecodeCache(str(folder)))
