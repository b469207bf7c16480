"""Fixed materials, so that compiled trees are the same bytes on every run. TEST ONLY.

In: spec and topology. Out: `Materials` with one public test key pair for everybody, and values derived from names.
Holds: no clock, no randomness; certificates and keys are real ones that the real checkers load.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bastide.pki.materials import MAINTENANCE_PAGE
from bastide.policy.identities import derive_dashboards, derive_identities
from bastide.policy.materials import KeyPair, Materials, Release
from bastide.policy.secrets import derive_secrets
from bastide.spec.model import Spec
from bastide.topology.model import Topology

FIXTURES = Path(__file__).parent / "fixtures/pki"
FAKE_PAIR = KeyPair(
    certificate_pem=(FIXTURES / "leaf.pem").read_text(), key_pem=(FIXTURES / "leaf.key").read_text()
)
_DIGITS = "bcdef0123456789"


def fake_materials(spec: Spec, topology: Topology) -> Materials:
    """Everything that the compiler is handed; the same for the same spec."""
    page = spec.balancer.maintenance_page
    return Materials(
        trust_anchor_pem=(FIXTURES / "root.pem").read_text(),
        identities=dict.fromkeys(derive_identities(topology), FAKE_PAIR),
        edge=FAKE_PAIR,
        dashboards={one.monitor: FAKE_PAIR for one in derive_dashboards(topology)},
        secrets={name: fake_secret(name, secret.generate or 32) for name, secret in derive_secrets(spec).items()},
        releases=_fake_releases(spec),
        texts={} if page is None else {MAINTENANCE_PAGE: f"<!doctype html><title>{page}</title>\n"},
    )


def fake_secret(name: str, length: int) -> str:
    """A secret of that length, made of letters and digits; it begins with TEST."""
    digest = hashlib.sha512(name.encode()).hexdigest()
    return ("TEST" + digest * 2)[:length]


def _fake_releases(spec: Spec) -> dict[str, Release]:
    releases = {"app": Release(name="app", digest="a" * 64, size=10240)}
    for index in range(len(spec.web.static)):
        name = f"static-{index}"
        releases[name] = Release(name=name, digest=_DIGITS[index % len(_DIGITS)] * 64, size=10240)
    return releases
