"""A small authority for tests that do real handshakes: a root, an intermediate, and a leaf for each identity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bastide.policy.identities import Identity, derive_identities
from bastide.policy.materials import KeyPair, Materials, Release
from bastide.spec.model import Spec
from bastide.topology.model import Topology

_NOT_BEFORE = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER = dt.datetime(2044, 1, 1, tzinfo=dt.UTC)


class Authority:
    """Issues at once, for twenty years, without keeping anything."""

    def __init__(self, internal_domain: str) -> None:
        self.domain = internal_domain
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _name("root")
        self._root = _build(root, self._root_key, root, self._root_key, authority=True)
        self._intermediate = _build(_name("intermediate"), self._key, root, self._root_key, authority=True)

    @property
    def root_pem(self) -> str:
        return _pem(self._root)

    def issue(self, identity: Identity) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        names = (identity.dns_name(self.domain), identity.tier_dns_name(self.domain))
        leaf = _build(
            _name(identity.common_name), key, self._intermediate.subject, self._key, authority=False, names=names
        )
        key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return KeyPair(certificate_pem=_pem(leaf) + _pem(self._intermediate), key_pem=key_pem.decode())


def issue_materials(
    spec: Spec, topology: Topology, authority: Authority, secrets: Mapping[str, str] | None = None
) -> Materials:
    identities = {identity: authority.issue(identity) for identity in derive_identities(topology)}
    names = ("app", *(f"static-{i}" for i in range(len(spec.web.static))))
    return Materials(
        trust_anchor_pem=authority.root_pem,
        identities=identities,
        edge=authority.issue(Identity(role="edge", host="edge")),
        dashboards={
            host.name: authority.issue(Identity(role="monitor", host=host.name))
            for host in topology.tier("monitor")
        },
        secrets=secrets or {},
        releases={name: Release(name=name, digest=f"{index:x}" * 64, size=1) for index, name in enumerate(names)},
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _build(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
    names: tuple[str, ...] = (),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
        )
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
