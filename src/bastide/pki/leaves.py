"""Certificates of hosts and of the edge: kept on disk, renewed before they run out.

In: an Authority, who needs a certificate, the time. Out: key pairs.
Holds: what is good is returned byte for byte as it was, so that a second run changes nothing; whatever is not
(missing, damaged, other names, signed by an earlier intermediate, due) is issued anew with a new key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from bastide.pki.authority import Authority, is_issued_by
from bastide.pki.certificates import (
    LEAF_LIFE,
    LeafNames,
    alternative_names,
    belongs,
    certificate_pem,
    common_name_of,
    is_permitted,
    issue_leaf,
    key_pem,
    parse_certificates,
    parse_key,
)
from bastide.pki.errors import PkiError
from bastide.pki.storage import locked, private_directory, read_file, write_file
from bastide.policy.identities import Dashboard, Identity
from bastide.policy.materials import KeyPair

RENEW_AT = 2 / 3
JITTER = 1 / 10
"""Renewals are spread over this part of the life before RENEW_AT, so that not all hosts reload on one day."""
_LONGEST_COMMON_NAME = 64


def ensure_identities(
    authority: Authority,
    identities: Sequence[Identity],
    internal_domain: str,
    now: datetime,
) -> Mapping[Identity, KeyPair]:
    """A key pair for each identity, to be server and client with."""
    with locked(authority.directory):
        return {
            identity: _ensure(
                authority,
                authority.directory / "leaves" / identity.common_name,
                _names(identity, internal_domain),
                now,
            )
            for identity in identities
        }


def issue_expired(
    authority: Authority, identities: Sequence[Identity], internal_domain: str, now: datetime
) -> Mapping[Identity, KeyPair]:
    """Key pairs that ran out a day ago, to see who still believes them. Nothing is kept."""
    then = now - LEAF_LIFE - timedelta(days=1)
    return {
        identity: _issue(authority, _names(identity, internal_domain), then) for identity in identities
    }  # fmt: skip


def ensure_edge(authority: Authority, domains: Sequence[str], now: datetime) -> KeyPair:
    """A key pair for exactly these domains, to be a server with."""
    with locked(authority.directory):
        return _ensure(authority, authority.directory / "edge", _edge_names(domains), now)


def issue_expired_edge(authority: Authority, domains: Sequence[str], now: datetime) -> KeyPair:
    """One that ran out a day ago. Nothing is kept."""
    return _issue(authority, _edge_names(domains), now - LEAF_LIFE - timedelta(days=1))


def _edge_names(domains: Sequence[str]) -> LeafNames:
    fitting = [domain for domain in domains if len(domain) <= _LONGEST_COMMON_NAME]
    return LeafNames(common_name=fitting[0] if fitting else "edge", dns=tuple(domains))


def ensure_dashboards(
    authority: Authority, dashboards: Sequence[Dashboard], now: datetime
) -> Mapping[str, KeyPair]:
    """A key pair for each monitor's dashboard, to be a server with.

    Not the monitor's identity: that says a URI too, and browsers refuse a certificate with a kind of name that its
    issuer constrains and they do not know how to compare.
    """
    with locked(authority.directory):
        return {
            one.monitor: _ensure(
                authority,
                authority.directory / "leaves" / one.common_name,
                LeafNames(common_name=one.common_name, dns=one.names, addresses=(one.address,)),
                now,
            )
            for one in dashboards
        }


def renewal_time(certificate: x509.Certificate) -> datetime:
    """When a leaf is renewed: at two thirds of its life, or up to a tenth of it earlier; it depends on the name."""
    seed = hashlib.sha256(common_name_of(certificate).encode()).digest()
    jitter = JITTER * int.from_bytes(seed[:4], "big") / 2**32
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + life * (RENEW_AT - jitter)


def _names(identity: Identity, internal_domain: str) -> LeafNames:
    return LeafNames(
        common_name=identity.common_name,
        dns=(identity.dns_name(internal_domain), identity.tier_dns_name(internal_domain)),
        uri=identity.uri(internal_domain),
        client=True,
    )


def _ensure(authority: Authority, directory: Path, names: LeafNames, now: datetime) -> KeyPair:
    current = _load(authority, directory, names, now)
    if current is not None:
        return current
    uri_host = names.uri.split("/")[2] if names.uri else None
    certificate = authority.intermediate.certificate
    if not is_permitted(certificate, uri_host, names.dns, names.addresses):
        raise PkiError(
            f"the authority may not vouch for {', '.join([*names.dns, *map(str, names.addresses)])}",
            hint="open it with these domains and addresses first",
        )
    private_directory(directory)
    issued = _issue(authority, names, now)
    # Interrupted between the two, the key does not belong to the certificate, and the next run issues both anew.
    # Not forced to disk: whatever a power cut leaves of them is recognised the same way.
    write_file(directory / "key.pem", issued.key_pem, durable=False)
    write_file(directory / "cert.pem", issued.certificate_pem, durable=False)
    return issued


def _load(authority: Authority, directory: Path, names: LeafNames, now: datetime) -> KeyPair | None:
    """What is on disk, if it is good for these names, from this authority, and not due."""
    certificate_text, key_text = read_file(directory / "cert.pem"), read_file(directory / "key.pem")
    chain, key = parse_certificates(certificate_text), parse_key(key_text)
    if certificate_text is None or key_text is None or key is None or len(chain) != 2:
        return None
    leaf, intermediate = chain
    good = (
        intermediate == authority.intermediate.certificate
        and is_issued_by(leaf, intermediate)
        and belongs(key, leaf)
        and _says(leaf, names)
        and leaf.not_valid_before_utc <= now < renewal_time(leaf)
    )
    return KeyPair(certificate_pem=certificate_text, key_pem=key_text) if good else None


def _says(leaf: x509.Certificate, names: LeafNames) -> bool:
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return (
        common_name_of(leaf) == names.common_name
        and alternatives == alternative_names(names)
        and (ExtendedKeyUsageOID.CLIENT_AUTH in usages) == names.client
    )


def _issue(authority: Authority, names: LeafNames, now: datetime) -> KeyPair:
    leaf, key = issue_leaf(authority.intermediate, names, now)
    return KeyPair(certificate_pem=certificate_pem(leaf) + authority.intermediate_pem, key_pem=key_pem(key))
