"""Everything that the compiler is handed, gathered in one go.

In: spec, topology, the state and spec folders, the time, the releases. Out: `Materials`.
Holds: what the user has to provide is looked at first, so that a missing secret is told before anything is issued.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from bastide.pki.authority import Authority, open_authority
from bastide.pki.errors import PkiError
from bastide.pki.leaves import ensure_dashboards, ensure_edge, ensure_identities
from bastide.pki.provided import load_certificate_files
from bastide.pki.secrets import ensure_secrets
from bastide.policy.identities import derive_dashboards, derive_identities, tunnel_domain
from bastide.policy.materials import Materials, Release
from bastide.policy.secrets import derive_secrets
from bastide.spec.model import Spec
from bastide.spec.parts import CertificateFiles
from bastide.topology.model import Topology

MAINTENANCE_PAGE = "balancer.maintenance_page"


def gather_materials(
    spec: Spec,
    topology: Topology,
    *,
    state: Path,
    base: Path,
    environ: Mapping[str, str],
    now: datetime,
    releases: Mapping[str, Release],
) -> Materials:
    """Secrets, certificates and texts for one infrastructure. `state` holds `pki/` and `secrets/`.

    Paths in the spec are relative to `base`. Raises PkiError (SecretsMissing, RootKeyNeeded).
    """
    secrets = ensure_secrets(state / "secrets", derive_secrets(spec), base, environ)
    texts = _read_texts(spec, base)
    files = spec.tls.edge
    provided = None
    if isinstance(files, CertificateFiles):
        provided = load_certificate_files(
            base / files.certificate, base / files.key, domains=topology.domains, now=now
        )
    dashboards = derive_dashboards(topology)
    authority = authority_of(topology, state=state, now=now)
    return Materials(
        trust_anchor_pem=authority.trust_anchor_pem,
        identities=ensure_identities(authority, derive_identities(topology), topology.internal_domain, now),
        edge=provided or ensure_edge(authority, topology.domains, now),
        dashboards=ensure_dashboards(authority, dashboards, now),
        secrets=secrets,
        releases=releases,
        texts=texts,
    )


def authority_of(topology: Topology, *, state: Path, now: datetime) -> Authority:
    """The project's authority, made on first use. Raises PkiError (RootKeyNeeded)."""
    dashboards = derive_dashboards(topology)
    return open_authority(
        state / "pki",
        project=topology.name,
        internal_domain=topology.internal_domain,
        domains=(*topology.domains, *((tunnel_domain(topology.name),) if dashboards else ())),
        addresses=tuple(one.address for one in dashboards),
        now=now,
    )


def _read_texts(spec: Spec, base: Path) -> Mapping[str, str]:
    page = spec.balancer.maintenance_page
    if page is None:
        return {}
    try:
        return {MAINTENANCE_PAGE: (base / page).read_text(encoding="utf-8")}
    except OSError as error:
        problem = f"cannot read {base / page}: {error.strerror}"
    except UnicodeDecodeError:
        problem = f"{base / page} is not UTF-8 text"
    raise PkiError(problem, hint=f"{MAINTENANCE_PAGE} must name an HTML file; paths are relative to the spec")
