"""Certificates that must not open anything, and one that must.

In: the project's authority, a flow. Out: key pairs in memory, by what is wrong with them. Holds: nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bastide.pki.authority import Authority, open_authority
from bastide.pki.certificates import (
    Issuer,
    LeafNames,
    certificate_pem,
    issue_leaf,
    issue_root,
    key_pem,
    new_key,
)
from bastide.policy.identities import Identity, derive_accepted_peers, derive_identities, issuer_common_name
from bastide.topology.model import Flow, Topology
from bastide.verify.scene import Scene

_LONG_AGO = timedelta(days=100)
PLAIN, NONE, OLDER = "plain", "none", "right, TLS 1.2"
RIGHT, GONE, EXPIRED, FOREIGN = "right", "of a host that left", "expired", "of another authority"


def project_authority(scene: Scene) -> Authority:
    """The project's own. Raises PkiError."""
    topology = scene.topology
    return open_authority(
        scene.state / "pki",
        project=topology.name,
        internal_domain=topology.internal_domain,
        domains=topology.domains,
        now=datetime.now(UTC),
    )


def forge_tries(authority: Authority, topology: Topology, flow: Flow, own: Identity) -> dict[str, dict[str, str]]:
    """What a client of the flow may try, by label; `own` is an identity that the flow accepts."""
    now = datetime.now(UTC)
    pair = dict(_pairs(authority, topology, flow, own, now))
    return {PLAIN: {}, NONE: {}, OLDER: pair[RIGHT] | {"newest": "TLSv1_2"}, **pair}


def _pairs(
    authority: Authority, topology: Topology, flow: Flow, own: Identity, now: datetime
) -> Iterator[tuple[str, dict[str, str]]]:
    domain, ours = topology.internal_domain, authority.intermediate
    yield RIGHT, _pair(ours, own, domain, now, authority.intermediate_pem)
    yield EXPIRED, _pair(ours, own, domain, now - _LONG_AGO, authority.intermediate_pem)
    yield GONE, _pair(ours, Identity(role=own.role, host="gone1"), domain, now, authority.intermediate_pem)
    key = new_key()
    # Named as ours are: whoever compares names alone believes it.
    foreign = Issuer(certificate=issue_root(key, issuer_common_name(topology.name), now), key=key)
    yield FOREIGN, _pair(foreign, own, domain, now, certificate_pem(foreign.certificate))
    accepted = set(derive_accepted_peers(topology, flow))
    seen: set[str] = set()
    for other in derive_identities(topology):
        if other not in accepted and other.role not in seen:
            seen.add(other.role)
            yield f"of {other.common_name}", _pair(ours, other, domain, now, authority.intermediate_pem)


def _pair(issuer: Issuer, who: Identity, domain: str, now: datetime, chain: str) -> dict[str, str]:
    names = LeafNames(
        common_name=who.common_name, dns=(who.dns_name(domain), who.tier_dns_name(domain)), uri=who.uri(domain),
        client=True,
    )  # fmt: skip
    leaf, key = issue_leaf(issuer, names, now)
    return {"certificate": certificate_pem(leaf) + chain, "key": key_pem(key)}
