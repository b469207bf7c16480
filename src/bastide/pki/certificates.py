"""Issuing: the three kinds of certificate, and how they are written and read.

In: names, keys, the time. Out: certificates (ECDSA P-256, SHA-256).
Holds: the intermediate can vouch only for the internal domain, the served domains and the addresses that it was told,
each by itself, never a network; its constraints are critical. A leaf's subject is its CN and nothing else, because
listeners match the whole subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bastide.spec.values import IPAddress

ROOT_LIFE = timedelta(days=3653)
INTERMEDIATE_LIFE = timedelta(days=1826)
LEAF_LIFE = timedelta(days=90)
_EVERY = (ip_network("0.0.0.0/0"), ip_network("::/0"))
BACKDATE = timedelta(hours=1)
"""Hosts whose clocks lag a little must accept a certificate that was issued just now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Issuer:
    """A certificate that signs others, and its key."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeafNames:
    """What a leaf says of its holder."""

    common_name: str
    dns: tuple[str, ...]
    addresses: tuple[IPAddress, ...] = ()
    uri: str | None = None
    client: bool = False
    """Also good for connecting to others (clientAuth), not only for being connected to."""


def new_key() -> EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return generate_private_key(SECP256R1())


def issue_root(key: EllipticCurvePrivateKey, project: str, now: datetime) -> x509.Certificate:
    """The self-signed root, good for one intermediate below it."""
    name = _name(f"{project} root")
    builder = _builder(name, name, key, now, now + ROOT_LIFE)
    return _as_authority(builder, key, key, path_length=1).sign(key, SHA256())


def issue_intermediate(
    root: Issuer,
    common_name: str,
    internal_domain: str,
    domains: Iterable[str],
    now: datetime,
    *,
    addresses: Iterable[IPAddress] = (),
) -> Issuer:
    """A fresh intermediate that can vouch for those domains, their subdomains, those addresses, and URIs of the
    internal domain."""
    key = new_key()
    permitted = [ip_network(address) for address in dict.fromkeys(addresses)]
    not_after = min(now + INTERMEDIATE_LIFE, root.certificate.not_valid_after_utc)
    builder = _builder(_name(common_name), root.certificate.subject, key, now, not_after)
    constraints = x509.NameConstraints(
        permitted_subtrees=[
            *(x509.DNSName(domain) for domain in dict.fromkeys((internal_domain, *domains))),
            x509.UniformResourceIdentifier(internal_domain),
            *(x509.IPAddress(network) for network in permitted),
        ],
        # A type that is not named is not constrained (RFC 5280, 4.2.1.10), and some verifiers take IPv4 and IPv6 for
        # two types: a family without permitted addresses is shut out by name.
        excluded_subtrees=[
            x509.IPAddress(every) for every in _EVERY if every.version not in {n.version for n in permitted}
        ]
        or None,
    )
    certificate = (
        _as_authority(builder, key, root.key, path_length=0)
        .add_extension(constraints, critical=True)
        .sign(root.key, SHA256())
    )
    return Issuer(certificate=certificate, key=key)


def issue_leaf(issuer: Issuer, names: LeafNames, now: datetime) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    """A fresh leaf and its key; it does not outlive its issuer."""
    key = new_key()
    not_after = min(now + LEAF_LIFE, issuer.certificate.not_valid_after_utc)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if names.client else [])]
    builder = (
        _builder(_name(names.common_name), issuer.certificate.subject, key, now, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(leaf=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(alternative_names(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    return builder.sign(issuer.key, SHA256()), key


def reissue(issuer: Issuer, leaf: x509.Certificate, now: datetime) -> x509.Certificate:
    """The same leaf with another serial number: same names, same key, and the same end."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    for extension in leaf.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(issuer.key, SHA256())


def alternative_names(names: LeafNames) -> x509.SubjectAlternativeName:
    """The leaf's names as its extension holds them."""
    uris = [] if names.uri is None else [x509.UniformResourceIdentifier(names.uri)]
    addresses = (x509.IPAddress(address) for address in names.addresses)
    return x509.SubjectAlternativeName([*(x509.DNSName(d) for d in names.dns), *addresses, *uris])


def is_permitted(
    intermediate: x509.Certificate,
    uri_host: str | None,
    domains: Iterable[str],
    addresses: Iterable[IPAddress] = (),
) -> bool:
    """Whether the intermediate's constraints cover these domains and addresses, and URIs of that host if given."""
    try:
        constraints = intermediate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return False
    permitted = constraints.permitted_subtrees or ()
    hosts = [name.value for name in permitted if isinstance(name, x509.DNSName)]
    uris = [name.value for name in permitted if isinstance(name, x509.UniformResourceIdentifier)]
    networks = {name.value for name in permitted if isinstance(name, x509.IPAddress)}
    covered = (any(d == h or d.endswith(f".{h}") for h in hosts) for d in domains)
    reached = (ip_network(address) in networks for address in addresses)
    return (uri_host is None or uri_host in uris) and all(covered) and all(reached)


def common_name_of(certificate: x509.Certificate) -> str:
    """The subject's CN; empty when it has none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def certificate_pem(certificate: x509.Certificate) -> str:
    """PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: PrivateKeyTypes) -> str:
    """PEM text, PKCS#8, not encrypted: the file's mode protects it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def parse_certificates(pem: str | None) -> tuple[x509.Certificate, ...]:
    """Certificates of a PEM text, in order; none if there are none or the text is damaged."""
    try:
        return tuple(x509.load_pem_x509_certificates((pem or "").encode()))
    except ValueError:
        return ()


def parse_key(pem: str | None) -> EllipticCurvePrivateKey | None:
    """One of our own keys; None if the text is damaged or holds another kind of key."""
    try:
        key = load_pem_private_key((pem or "").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePrivateKey) else None


def belongs(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    """Whether the key is the certificate's."""
    return _public_bytes(key.public_key()) == _public_bytes(certificate.public_key())


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(not_after)
    )


def _as_authority(
    builder: x509.CertificateBuilder,
    key: EllipticCurvePrivateKey,
    issuer_key: EllipticCurvePrivateKey,
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(leaf=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_key, critical=False)
    )


def key_usage(*, leaf: bool) -> x509.KeyUsage:
    """What a leaf may do (sign handshakes), and what an authority may (sign certificates)."""
    return x509.KeyUsage(
        digital_signature=leaf,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
