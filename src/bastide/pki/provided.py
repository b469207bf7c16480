"""The user's own certificate for the domains, looked at closely before any balancer serves it.

In: two PEM files. Out: a KeyPair, leaf first and without root, or PkiError that says what is wrong with which file.
Holds: what leaves here is what browsers will accept as far as the files alone can tell (whether they trust the
issuer, they alone know).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from bastide.pki.authority import is_issued_by
from bastide.pki.certificates import belongs, certificate_pem, key_pem
from bastide.pki.errors import PkiError
from bastide.policy.materials import KeyPair


def load_certificate_files(certificate: Path, key: Path, *, domains: Sequence[str], now: datetime) -> KeyPair:
    """The user's certificate with its chain, and its key."""
    chain = _read_chain(certificate)
    private = _read_key(key)
    _check_key(chain, private, certificate, key)
    chain = _check_chain(chain, certificate)
    _check_times(chain, certificate, now)
    _check_leaf(chain[0], certificate, domains)
    return KeyPair(certificate_pem="".join(map(certificate_pem, chain)), key_pem=key_pem(private))


def covers(names: Sequence[str], domain: str) -> bool:
    """Whether one of a certificate's DNS names stands for the domain; `*` stands for exactly one label."""
    _, _, parent = domain.partition(".")
    lowered = [name.lower() for name in names]
    return domain in lowered or f"*.{parent}" in lowered


def _read(path: Path, content: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(
            f"cannot read {path}: {error.strerror}",
            hint=f"tls.edge must name the PEM file with {content}; paths are relative to the spec",
        ) from error


def _read_chain(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        chain = tuple(x509.load_pem_x509_certificates(_read(path, "the certificate and its chain")))
        for certificate in chain:
            _ = certificate.extensions  # decoded only when asked for, and damaged ones raise then
        return chain
    except (ValueError, x509.DuplicateExtension) as error:
        raise PkiError(
            f"{path} holds no readable PEM certificate",
            hint="it must hold one or more -----BEGIN CERTIFICATE----- blocks, the domain's own first",
        ) from error


def _read_key(path: Path) -> PrivateKeyTypes:
    text = _read(path, "the private key")
    if path.stat().st_mode & 0o004:
        raise PkiError(f"everybody on this machine can read the private key {path}", hint=f"chmod 600 {path}")
    try:
        key = load_pem_private_key(text, password=None)
    except TypeError as error:
        raise PkiError(
            f"the private key {path} is encrypted",
            hint=f"decrypt it into a file of mode 0600: umask 077; openssl pkey -in {path} -out plain.key",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PkiError(
            f"{path} holds no readable PEM private key", hint="it must hold one -----BEGIN PRIVATE KEY----- block"
        ) from error
    if isinstance(key, RSAPrivateKey) and key.key_size < 2048:
        raise PkiError(
            f"the RSA key {path} has {key.key_size} bits, and clients refuse fewer than 2048",
            hint="have a certificate issued for a new key, at best an ECDSA P-256 one",
        )
    return key


def _check_key(
    chain: tuple[x509.Certificate, ...], key: PrivateKeyTypes, certificate_path: Path, key_path: Path
) -> None:
    if belongs(key, chain[0]):
        return
    if any(belongs(key, certificate) for certificate in chain):
        raise PkiError(
            f"the certificates in {certificate_path} are in the wrong order: the domain's own is not the first",
            hint="put the certificate that the key belongs to first, then its issuer, then the issuer's issuer",
        )
    raise PkiError(
        f"{key_path} is not the key of the first certificate in {certificate_path}",
        hint="after a renewal both files change: name the pair that was issued together",
    )


def _check_chain(chain: tuple[x509.Certificate, ...], path: Path) -> tuple[x509.Certificate, ...]:
    for index, (child, issuer) in enumerate(pairwise(chain), start=1):
        if not is_issued_by(child, issuer):
            raise PkiError(
                f"the chain in {path} is broken: certificate {index} ({_title(child)}) was not issued by "
                f"certificate {index + 1} ({_title(issuer)})",
                hint="each certificate must be followed by its issuer and by nothing else",
            )
    # Clients have the root themselves or do not trust it; sending it is a waste.
    return chain[:-1] if len(chain) > 1 and is_issued_by(chain[-1], chain[-1]) else chain


def _check_times(chain: tuple[x509.Certificate, ...], path: Path, now: datetime) -> None:
    for certificate in chain:
        title = f"the certificate {_title(certificate)} in {path}"
        if now >= certificate.not_valid_after_utc:
            raise PkiError(
                f"{title} expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
                hint="renew it, or set tls.edge: internal for a certificate of the project's own authority",
            )
        if now < certificate.not_valid_before_utc:
            raise PkiError(
                f"{title} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                hint="wait until then, or correct this machine's clock",
            )


def _check_leaf(leaf: x509.Certificate, path: Path, domains: Sequence[str]) -> None:
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usages):
        raise PkiError(
            f"the certificate in {path} is not meant for servers", hint="have one issued with the usage serverAuth"
        )
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    found = names.get_values_for_type(x509.DNSName)
    uncovered = [domain for domain in domains if not covers(found, domain)]
    if uncovered:
        raise PkiError(
            f"the certificate in {path} is not for {', '.join(uncovered)}: "
            f"its names are {', '.join(found) or 'none'}",
            hint="have it issued for every name under `domains` (browsers look at the alternative names alone, "
            "and a wildcard stands for one label)",
        )


def _title(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a subject"
